"""Two classifications by one network: a shared trunk, and a linear head for each.

``TwoDigits`` has two digits in one picture, one of them hard to read: losses that compete for the
trunk. ``TwoKinds`` has two sets of pictures without a picture or a class in common.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from bloop_reproduction.claim import Measured, Number, Row
from bloop_reproduction.demo.data import CLASSES, PIXELS, digits
from bloop_reproduction.demo.network import (
    Floats,
    Labels,
    Layer,
    cross_entropy,
    cross_entropy_gradient,
    initial_parameters,
    layers,
    size,
)
from bloop_reproduction.fronts import seeds, select
from bloop_reproduction.problems import Batches, Problem
from bloop_reproduction.statistics import interval

FAINT = 0.5
"""The contrast of the digit that is hard to read, beside 1 for the other."""


POINTS = 10
"""At how many points of a run the whole gradients are looked at."""


class Task(NamedTuple):
    """Images, one row each, and their labels."""

    images: Floats
    labels: Labels


class TwoHeads(Problem):
    """A trunk with ReLU units and two linear heads, trained on two cross-entropies."""

    trunk: tuple[int, ...] = (PIXELS, 64)
    classes = CLASSES

    def __init__(self, generator: np.random.Generator) -> None:
        self.widths = (*self.trunk, self.classes)
        first = initial_parameters(self.widths, generator)
        second = initial_parameters(self.widths, generator)
        self.parameters = np.concatenate([first, second[size(self.trunk) :]])
        self.batches = Batches(len(self.tasks()[0].labels))

    def tasks(self) -> tuple[Task, Task]:
        """Return the training data of the main and of the auxiliary loss."""
        raise NotImplementedError

    def heads(self, flat: Floats) -> tuple[list[Layer], list[Layer]]:
        """Return the layers that lead to each head, as views: all but the last are shared."""
        first = layers(flat[: size(self.widths)], self.widths)
        (second,) = layers(flat[size(self.widths) :], self.widths[-2:])
        return first, [*first[:-1], second]

    def auxiliary_batch(self, batch: NDArray[Any], generator: np.random.Generator) -> NDArray[Any]:
        """Return which auxiliary images are in a batch, given which main ones are."""
        return batch

    def gradients(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Return those of both cross-entropies on the next mini-batch."""
        batch = self.batches.next(generator)
        rows = (batch, self.auxiliary_batch(batch, generator))
        return self.gradients_of(rows)

    def gradients_of(self, rows: tuple[NDArray[Any], NDArray[Any]]) -> tuple[Floats, Floats]:
        """Return the gradients of both cross-entropies on given rows of the tasks."""
        found = np.zeros_like(self.parameters), np.zeros_like(self.parameters)
        networks = self.heads(self.parameters)
        for k, (task, batch) in enumerate(zip(self.tasks(), rows, strict=True)):
            out = self.heads(found[k])[k]
            cross_entropy_gradient(networks[k], task.images[batch], task.labels[batch], out)
        return found

    def cosine(self) -> float:
        """Return that of the angle between both gradients over all training images; 0 if one is 0.

        Its inner product is that of the trunk's entries: no head feels both losses.
        """
        rows = tuple(np.arange(len(task.labels)) for task in self.tasks())
        main, aux = (g.astype(np.float64) for g in self.gradients_of((rows[0], rows[1])))
        norms = np.linalg.norm(main) * np.linalg.norm(aux)
        return float(main @ aux / norms) if norms else 0.0

    def losses(self) -> tuple[float, float]:
        """Return both cross-entropies over all training images."""
        main, aux = (
            cross_entropy(network, *task)
            for network, task in zip(self.heads(self.parameters), self.tasks(), strict=True)
        )
        return main, aux


def finished(problem: TwoHeads, run: Iterator[Any], steps: int) -> Measured:
    """Train to the end of a run; return both losses, and the mean cosine at ten points of it."""
    cosines: list[float] = []
    for step, _ in enumerate(run, start=1):
        if (step * POINTS) // steps > len(cosines):
            cosines.append(problem.cosine())
    main, aux = problem.losses()
    return {"main": main, "aux": aux, "cosine": float(np.mean(cosines))}


def mean_cosine(rows: Sequence[Row]) -> Number:
    """Return the mean over all runs of what ``finished`` says of the cosine."""
    return interval(
        "cosine of the whole gradients, mean over runs and lam",
        [
            float(np.mean([row.measured["cosine"] for row in select(rows, seed=seed)]))
            for seed in seeds(rows)
        ],
    )


class TwoDigits(TwoHeads):
    """Pictures of two digits, one upon the other; the main loss is of the one hard to read."""

    rate = 0.3

    def tasks(self) -> tuple[Task, Task]:
        """Return the same pictures, with the faint and with the clear digits as labels."""
        return two_digits()


class TwoKinds(TwoHeads):
    """The digits 0 to 4 and the digits 5 to 9: no picture and no class in common."""

    rate = 1e-3
    trunk = (PIXELS, 128)
    classes = 5

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__(generator)
        self.others = Batches(len(self.tasks()[1].labels))

    def tasks(self) -> tuple[Task, Task]:
        """Return the small digits and the large ones."""
        return two_kinds()

    def auxiliary_batch(self, batch: NDArray[Any], generator: np.random.Generator) -> NDArray[Any]:
        """Return a batch of its own."""
        return self.others.next(generator)


@cache
def two_digits() -> tuple[Task, Task]:
    """Return 1437 pictures of a faint digit below a clear one; see ``TwoDigits``.

    Each training digit is once the faint one, and once the clear one.
    """
    data = digits()
    under = np.random.default_rng(0).permutation(len(data.train_labels))
    pictures = data.train_images + np.float32(FAINT) * data.train_images[under]
    pictures = np.asarray(StandardScaler().fit_transform(pictures), np.float32)
    return Task(pictures, data.train_labels[under]), Task(pictures, data.train_labels)


@cache
def two_kinds() -> tuple[Task, Task]:
    """Return the training images of the digits 0 to 4, and those of 5 to 9; see ``TwoKinds``."""
    data = digits()
    small = data.train_labels < 5
    return (
        Task(data.train_images[small], data.train_labels[small]),
        Task(data.train_images[~small], data.train_labels[~small] - 5),
    )
