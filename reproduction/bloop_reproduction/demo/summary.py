"""What the results say: means over seeds, and the methods' losses at one and the same bound."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.demo.training import Result


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over seeds; a single seed has none."""

    mean: float
    std: float | None

    @classmethod
    def of(cls, values: Sequence[float] | NDArray[np.float64]) -> "Spread":
        """Summarise some values; the standard deviation is that of a sample.

        >>> Spread.of([1.0, 3.0])
        Spread(mean=2.0, std=1.4142135623730951)
        """
        std = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(float(np.mean(values)), std)

    def text(self, digits: int, times: float = 1) -> str:
        """Return the mean and the deviation, if there is one, to so many digits.

        >>> Spread.of([0.25]).text(1, times=100)
        '25.0'
        """
        mean = f"{times * self.mean:.{digits}f}"
        return mean if self.std is None else f"{mean} ± {times * self.std:.{digits}f}"


@dataclass(frozen=True)
class Point:
    """One method with one lam, over all seeds."""

    lam: float
    train_loss: Spread
    test_accuracy: Spread
    log_lipschitz_bound: Spread


@dataclass(frozen=True)
class Comparison:
    """Every method's train loss at one and the same log Lipschitz bound."""

    bound: float
    train_loss: dict[str, Spread]

    @property
    def runner_up(self) -> str:
        """The method of the lowest loss among those that are not Bloop."""
        others = {name: loss.mean for name, loss in self.train_loss.items() if name != "bloop"}
        return min(others, key=others.__getitem__)

    def times_bloop(self, method: str) -> float:
        """Return a method's loss divided by Bloop's."""
        return self.train_loss[method].mean / self.train_loss["bloop"].mean


def points(results: Sequence[Result], method: str) -> list[Point]:
    """Average a method's results over the seeds, in order of lam."""
    mine = [result for result in results if result.run.method == method]
    found = []
    for lam in sorted({result.run.lam for result in mine}):
        same = [result for result in mine if result.run.lam == lam]
        found.append(
            Point(
                lam=lam,
                train_loss=Spread.of([result.train_loss for result in same]),
                test_accuracy=Spread.of([result.test_accuracy for result in same]),
                log_lipschitz_bound=Spread.of([result.log_lipschitz_bound for result in same]),
            )
        )
    return found


def compare(results: Sequence[Result]) -> Comparison | None:
    """Read all methods' train losses at the middle of the bounds that every front reaches.

    A front is what one method and one seed reach over all lam; between its points the logarithm of
    the loss is interpolated linearly in the bound. None if the fronts have no bound in common.
    """
    seeds = sorted({result.run.seed for result in results})
    fronts = {(method, seed): _front(results, method, seed) for method in METHODS for seed in seeds}
    lowest = max(bounds[0] for bounds, _ in fronts.values())
    highest = min(bounds[-1] for bounds, _ in fronts.values())
    if lowest > highest:
        return None
    bound = float(lowest + highest) / 2
    losses = {key: float(np.exp(np.interp(bound, *front))) for key, front in fronts.items()}
    return Comparison(
        bound,
        {method: Spread.of([losses[method, seed] for seed in seeds]) for method in METHODS},
    )


def _front(
    results: Sequence[Result], method: str, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bounds, rising, and the logarithms of the train losses that go with them."""
    pairs = sorted(
        (result.log_lipschitz_bound, np.log(result.train_loss))
        for result in results
        if (result.run.method, result.run.seed) == (method, seed)
    )
    bounds, log_losses = np.array(pairs).T
    return bounds, log_losses


def table(results: Sequence[Result]) -> Table:
    """Return the means over the seeds, and their standard deviations, as a table."""
    one = len({result.run.seed for result in results}) == 1
    shown = Table(title="a single seed" if one else "means over the seeds ± standard deviation")
    shown.add_column("method")
    for column in ("lam", "train loss", "log Lipschitz bound", "test accuracy"):
        shown.add_column(column, justify="right")
    for method, entry in METHODS.items():
        for k, point in enumerate(points(results, method)):
            shown.add_row(
                entry.label if k == 0 else "",
                f"{point.lam:g}",
                point.train_loss.text(4),
                point.log_lipschitz_bound.text(2),
                f"{point.test_accuracy.text(1, times=100)} %",
            )
        shown.add_section()
    return shown


def finding(results: Sequence[Result]) -> str:
    """Return what the fronts say where they can be compared, as one sentence.

    The losses are interpolated at one log Lipschitz bound that all fronts reach.
    """
    comparison = compare(results)
    if comparison is None:
        return "The fronts have no log Lipschitz bound in common, so they cannot be compared."
    losses = ", ".join(
        f"{METHODS[method].label} {loss.mean:.4f}" for method, loss in comparison.train_loss.items()
    )
    return f"Train loss at a log Lipschitz bound of {comparison.bound:.2f}: {losses}."
