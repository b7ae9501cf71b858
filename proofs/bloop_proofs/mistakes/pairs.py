"""Mistakes that are made together in the equations: all pairs, and the best of them with a third.

They are told apart on inputs of ordinary size in single precision, where neither epsilons nor
rounding show.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from bloop_proofs.mistakes.constants import fitted
from bloop_proofs.mistakes.evidence import Evidence, Model
from bloop_proofs.mistakes.looks import Probe, values
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm

FEW = 5
"""So many inputs are enough to tell mistakes apart."""
SAME = 3
"""So many models that explain the same are followed."""
WIDTH = 8
"""So many of the best pairs are tried on all inputs, and with a third mistake."""
SMALL, LARGE = 2.0**-5, 2.0**8
"""Norms of ordinary size."""


def combined(
    evidence: Evidence, catalogue: Sequence[Mistake], ordinary: Iterable[Probe]
) -> tuple[list[Model], bool]:
    """Return the models that explain every output where nothing is extreme, and that they do.

    Where there is none, the one that explains most.

    One output is explained after the other, by single mistakes where that can be. The last output
    comes first: how the EMA moves shows in the direction, while the direction seldom shows in it.
    """
    probes = [probe for probe in ordinary if probe.look is values and _is_plain(probe)]
    probes = ([probe for probe in probes if _is_single(probe)] or probes)[:FEW]
    if not probes or not evidence.loss((), probes):
        return [()], True
    left = [*range(len(evidence.misfits((), probes[0])) - 1)][::-1]
    done: list[int] = []
    models: list[Model] = [()]
    search = _Search(evidence, [m for m in catalogue if m.parts or m.name in WHOLE], probes)
    for more in (1, 2, 1, 3):
        for output in list(left):
            told = [*done, output]
            if found := search.exact(models, told, more):
                models, done = found[:SAME], told
                left.remove(output)
    for output in left:
        done.append(output)
        models = search.nearest(models[0], done)
    return models, not left


WHOLE = ("layer-by-layer", "roles-are-exchanged")
"""The mistakes around a step that get its equations wrong."""


def _leaves(probe: Probe) -> list[list[np.ndarray]]:
    return [vector for step in probe.right.method.steps(probe.case) for vector in step]


def _is_plain(probe: Probe) -> bool:
    """Whether an input has vectors of ordinary size."""
    return all(SMALL < norm(flat(vector)) < LARGE for vector in _leaves(probe))


def _is_single(probe: Probe) -> bool:
    """Whether an input is in single precision."""
    return all(leaf.dtype == np.float32 for vector in _leaves(probe) for leaf in vector)


class _Search:
    """The search for what explains some outputs at some probes."""

    def __init__(
        self, evidence: Evidence, catalogue: Sequence[Mistake], probes: Sequence[Probe]
    ) -> None:
        self._evidence, self._catalogue, self._probes = evidence, catalogue, probes
        self._best: dict[tuple[Model, tuple[int, ...]], list[Model]] = {}

    def _loss(self, model: Model, outputs: Sequence[int], probes: Sequence[Probe] = ()) -> float:
        rows = (self._evidence.misfits(model, probe) for probe in probes or self._probes)
        return sum(row[i] for row in rows for i in outputs)

    def exact(self, models: Sequence[Model], outputs: Sequence[int], more: int) -> list[Model]:
        """Return the models that explain some outputs with so many mistakes more at most."""
        found = [model for model in models if not self._loss(model, outputs)]
        if found:
            return found
        some = [
            x
            for model in models[: SAME if more == 1 else 1]
            for x in self._longer(model, outputs, more)
        ]
        return [longer for longer in some if not self._loss(longer, outputs)]

    def nearest(self, model: Model, outputs: Sequence[int]) -> list[Model]:
        """Return the model that explains most of some outputs, with up to three mistakes more."""
        tried = [model, *(x for more in (1, 2, 3) for x in self._longer(model, outputs, more))]
        return [min(tried, key=lambda longer: self._loss(longer, outputs) + len(longer) / 64)]

    def _longer(self, model: Model, outputs: Sequence[int], more: int) -> list[Model]:
        """Return the best models with one, two or three mistakes more."""
        key = (model, (*outputs, more))
        if key not in self._best:
            self._best[key] = (self._singles, self._pairs, self._triples)[more - 1](model, outputs)
        return self._best[key]

    def _singles(self, model: Model, outputs: Sequence[int]) -> list[Model]:
        free = fitted(self._evidence, model, self._catalogue, self._probes)
        tried = [(*model, mistake) for mistake in (*self._catalogue, *free)]
        return sorted(tried, key=lambda longer: self._loss(longer, outputs))

    def _pairs(self, model: Model, outputs: Sequence[int]) -> list[Model]:
        start, first = len(model), self._probes[:1]
        singles = self._longer(model, outputs, 1)
        told = [s[start] for s in singles if self._changes(model, s, outputs[-1])]
        plain = [m for m in told if m.group == "equations" and not (m.fitted or m.made)]
        pairs = [(*model, *pair) for pair in combinations(plain, 2)]
        for base in singles[:2]:
            pairs += [(*base, m) for m in fitted(self._evidence, base, told, self._probes)]
        return sorted(pairs, key=lambda pair: self._loss(pair, outputs, first))[: 4 * WIDTH]

    def _triples(self, model: Model, outputs: Sequence[int]) -> list[Model]:
        start = len(model)
        pairs = sorted(self._longer(model, outputs, 2), key=lambda x: self._loss(x, outputs))
        others = [s[start] for s in self._longer(model, outputs, 1)]
        tried = [(*pair, m) for pair in pairs[: WIDTH // 2] for m in others if m not in pair]
        return sorted(tried, key=lambda longer: self._loss(longer, outputs, self._probes[:1]))[
            :WIDTH
        ]

    def _changes(self, model: Model, longer: Model, output: int) -> bool:
        """Whether a mistake more shows in an output at one of two probes."""
        for probe in self._probes[:2]:
            now, then = (self._evidence.by(m, probe).vectors for m in (model, longer))
            if len(now) == len(then):
                old, new = now[output], then[output]
                if old is None or new is None or not np.array_equal(old, new):
                    return True
        return False
