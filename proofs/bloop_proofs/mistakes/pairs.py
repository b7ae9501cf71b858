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

FEW = 6
"""So many inputs are enough to tell mistakes apart."""
FIRST = 3
"""So many singles are tried with fitted constants."""
WIDTH = 8
"""So many pairs are tried with a third mistake."""
SMALL, LARGE = 2.0**-5, 2.0**8
"""Norms of ordinary size."""


def combined(
    evidence: Evidence, catalogue: Sequence[Mistake], ordinary: Iterable[Probe]
) -> list[Model]:
    """Return the models that explain every output where nothing is extreme, or most of it.

    One output is explained after the other, the last one first: how the EMA moves shows in the
    direction, while the direction seldom shows in the EMA. Where it does, it comes first.
    """
    probes = [probe for probe in ordinary if probe.look is values and _is_plain(probe)][:FEW]
    if not probes or not evidence.loss((), probes):
        return [()]
    outputs = range(len(evidence.misfits((), probes[0])) - 1)
    for order in (outputs[::-1], outputs):
        models: list[Model] = [()]
        for i, _ in enumerate(order):
            search = Output(evidence, catalogue, probes, order[: i + 1])
            models = search.all_explained(models)
        best = min(evidence.loss(model, probes) for model in models)
        if not best:
            break
    return [model for model in models if evidence.loss(model, probes) <= best]


def _is_plain(probe: Probe) -> bool:
    """Whether an input has vectors of ordinary size, in single precision."""
    vectors = [vector for step in probe.right.method.steps(probe.case) for vector in step]
    single = all(leaf.dtype == np.float32 for vector in vectors for leaf in vector)
    return single and all(SMALL < norm(flat(vector)) < LARGE for vector in vectors)


class Output:
    """The search for what explains some outputs at some probes."""

    def __init__(
        self,
        evidence: Evidence,
        catalogue: Sequence[Mistake],
        probes: Sequence[Probe],
        outputs: Sequence[int],
    ) -> None:
        """Keep what is to be explained, and by what."""
        self.evidence, self.catalogue = evidence, catalogue
        self.probes, self.outputs = probes, outputs

    def loss(self, model: Model, probes: Sequence[Probe] = ()) -> float:
        """Return the sum of the misfits of the outputs."""
        rows = (self.evidence.misfits(model, probe) for probe in probes or self.probes)
        return sum(row[i] for row in rows for i in self.outputs)

    def all_explained(self, models: Sequence[Model]) -> list[Model]:
        """Return the shortest models that explain the outputs, made longer only if none does."""
        done = [model for model in models if not self.loss(model)]
        return done or [x for model in models[:2] for x in self.explained(model)]

    def explained(self, model: Model) -> list[Model]:
        """Return a model with one, two or three mistakes more; the best there is if none agrees."""
        if not self.loss(model):
            return [model]
        tried = {(*model, m): 0.0 for m in self.catalogue if m.parts}
        free = [m for m in self.catalogue if m.fitted]
        tried |= {(*model, m): 0.0 for m in fitted(self.evidence, model, free, self.probes)}
        tried = {longer: self.loss(longer) for longer in tried}
        if found := [longer for longer, loss in tried.items() if not loss]:
            return found
        singles = sorted(tried, key=tried.__getitem__)
        for base in singles[:FIRST]:
            found += [(*base, m) for m in fitted(self.evidence, base, free, self.probes)]
        pairs = {pair: self.loss(pair, self.probes[:1]) for pair in self._pairs(model, singles)}
        pairs |= {pair: self.loss(pair, self.probes[:1]) for pair in found}
        best = sorted(pairs, key=pairs.__getitem__)
        exact = [pair for pair in best if not pairs[pair] and not self.loss(pair)]
        if exact:
            return exact
        losses = {pair: self.loss(pair) for pair in best[: 4 * WIDTH]} | tried
        some = sorted(losses, key=losses.__getitem__)[:WIDTH]
        for base in some:
            for *_, mistake in singles:
                if mistake not in base:
                    losses[(*base, mistake)] = self.loss((*base, mistake))
        least = min(losses.values())
        return [longer for longer, loss in losses.items() if loss <= least][:WIDTH]

    def _pairs(self, model: Model, singles: Sequence[Model]) -> list[Model]:
        """Return the pairs of mistakes that each change an output."""
        start = len(model)
        telling = [
            s[start]
            for s in singles
            if any(self._changes(model, s, probe) for probe in self.probes[:2])
        ]
        return [(*model, *pair) for pair in combinations(telling, 2)]

    def _changes(self, model: Model, longer: Model, probe: Probe) -> bool:
        now, then = (self.evidence.by(m, probe) for m in (model, longer))
        return now.words == then.words and not probe.alike(now, then)
