"""Telling which known mistakes a subject makes.

A single mistake that shows what the subject shows is looked for first. Where there is none,
mistakes are put together: on inputs of ordinary size in single precision, where epsilons and
rounding do not show, all pairs are tried for each output; what is left on other inputs is explained
one by one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bloop_proofs.mistakes.constants import DIGITS, fitted, written
from bloop_proofs.mistakes.evidence import RAISES, Evidence, Model, wrong_at
from bloop_proofs.mistakes.looks import Probe, Probes, Seen
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.mistakes.pairs import SAME, combined
from bloop_proofs.quiet import silence
from bloop_proofs.subject import Subject

LIKE = 0.5
"""The least share of what is wrong that a name must explain where it is not proved."""
MOST = 6
"""No more mistakes than so many are named together."""
PATIENCE = 4
"""So many inputs are left unexplained before the search ends."""
TRIED = 6
"""Of the mistakes that explain something of one input, so many are tried on all others."""


@dataclass(frozen=True)
class Explanation:
    """Mistakes made together, the main one first, and how much of what is wrong they explain."""

    mistakes: Model
    share: float
    proved: bool


def explanations(
    subject: Subject, catalogue: Iterable[Mistake], probes: Probes
) -> list[Explanation]:
    """Return what explains what a subject shows, the most likely first, as far as anything does."""
    with silence():
        history = () if probes.history in probes.ordinary else (probes.history,)
        every = (*probes.ordinary, *probes.special, *history)
        seen = {probe: probe.at(subject) for probe in every}
        told = [probe for probe in every if _is_taken(probe, seen[probe])]
        evidence = Evidence(told, seen.__getitem__)
        return explained(evidence, tuple(catalogue), probes.where(evidence.seen.__contains__))


def _is_taken(probe: Probe, seen: Seen) -> bool:
    """Whether a subject takes as many gradients: who takes two alone may do right with these."""
    return len(probe.case.get("gradients", ())) <= 2 or seen.words != RAISES


def explained(
    evidence: Evidence, catalogue: Sequence[Mistake], probes: Probes
) -> list[Explanation]:
    """Return what explains some evidence."""
    models = alone = _alone(evidence, catalogue, probes)
    if not alone or evidence.loss(alone[0]):
        functions = [mistake for mistake in catalogue if not mistake.remembers]
        models, exact = (alone, True) if alone else combined(evidence, functions, probes.ordinary)
        models = [_extended(evidence, m, functions) for m in models[:SAME]] if exact else models
    different = {frozenset(m): m for m in (_needed(evidence, m) for m in models)}
    losses = {model: evidence.loss(model) for model in different.values() if model}
    least = min(((loss, len(model)) for model, loss in losses.items()), default=(0.0, 0))
    found = [model for model, loss in losses.items() if (loss, len(model)) <= least]
    unsure = not alone and (not losses or least[0] > 0)
    unsure = unsure or any(_is_first_called(model, probes.ordinary[0]) for model in found)
    if unsure and (remembered := _remembered(evidence, catalogue, probes.history)):
        return remembered
    shares = {model: evidence.share(model) for model in found}
    return [
        Explanation(_by_weight(evidence, model), shares[model], not losses[model])
        for model in found
        if alone or shares[model] >= LIKE
    ]


def _is_first_called(model: Model, probe: Probe) -> bool:
    """Whether a model has an option fixed at the value that it had in the first call."""
    options = {name: written(probe.case[name], DIGITS) for name in probe.right.method.options}
    return any(
        mistake.made and chain[0].text == options[name]
        for mistake in model
        for name, chain in mistake.parts.items()
        if name in options
    )


def _remembered(
    evidence: Evidence, catalogue: Sequence[Mistake], probe: Probe
) -> list[Explanation]:
    """Return the mistakes of steps with a memory, known by what their outputs depend on."""
    if probe not in evidence.seen:
        return []
    found = [m for m in catalogue if m.remembers and wrong_at(m, probe)]
    return [Explanation((m,), 1.0, False) for m in found if evidence.agrees((m,), probe)]


def _alone(evidence: Evidence, catalogue: Sequence[Mistake], probes: Probes) -> list[Model]:
    """Return the single mistakes that show what a subject shows, those that explain most first.

    A mistake must agree with the subject on all ordinary inputs and be wrong on one of them, or
    agree on all of these and on every special input where it is wrong.
    """

    def explains(mistake: Mistake) -> bool:
        if any(wrong_at(mistake, probe) for probe in probes.ordinary):
            return True
        telling = [probe for probe in probes.special if wrong_at(mistake, probe)]
        return bool(telling) and all(evidence.agrees((mistake,), probe) for probe in telling)

    left = [mistake for mistake in catalogue if not mistake.remembers]
    if all(evidence.agrees((), probe) for probe in probes.ordinary):
        # saves time: who explains nothing of what is wrong need not be looked at elsewhere
        odd = [probe for probe in probes.special if not evidence.agrees((), probe)]
        left = [m for m in left if any(evidence.agrees((m,), p) and wrong_at(m, p) for p in odd)]
    for probe in probes.ordinary:
        left = [mistake for mistake in left if evidence.agrees((mistake,), probe)]
    found: list[Model] = [(mistake,) for mistake in left if explains(mistake)]
    return sorted(found, key=evidence.loss) if len(found) > 1 else found


def _extended(evidence: Evidence, model: Model, catalogue: Sequence[Mistake]) -> Model:
    """Return a model with mistakes added that explain what is left, where most is left first."""
    given_up: set[Probe] = set()
    while len(model) < MOST and len(given_up) < PATIENCE:
        left = [probe for probe in evidence.left(model) if probe not in given_up]
        if not left:
            break
        better = _added(evidence, model, catalogue, left)
        if better is None:
            given_up.add(left[0])
        else:
            model = better
    return model


def _added(
    evidence: Evidence, model: Model, catalogue: Sequence[Mistake], left: Sequence[Probe]
) -> Model | None:
    """Return a model with the mistake added that explains most, of those that explain a probe."""
    first, *_ = left
    now = evidence.misfit(model, first)
    free = fitted(evidence, model, catalogue, left)
    rated = [(evidence.misfit((*model, m), first), (*model, m)) for m in (*free, *catalogue)]
    best = sorted((r for r in rated if r[0] < now), key=lambda r: r[0])[:TRIED]
    losses = [(evidence.loss(longer), longer) for _, longer in best]
    loss, longer = min(losses, key=lambda found: found[0], default=(float("inf"), model))
    return longer if loss < evidence.loss(model) else None


def _needed(evidence: Evidence, model: Model) -> Model:
    """Return a model without the mistakes that explain nothing."""
    for mistake in model:
        fewer = tuple(m for m in model if m is not mistake)
        if fewer and evidence.loss(fewer) <= evidence.loss(model):
            model = fewer
    return model


def _by_weight(evidence: Evidence, model: Model) -> Model:
    """Return a model with the mistakes first that are in the equations, and explain most."""

    def lost(mistake: Mistake) -> float:
        return evidence.loss(tuple(m for m in model if m is not mistake))

    return tuple(sorted(model, key=lambda m: (m.group != "equations", -lost(m))))
