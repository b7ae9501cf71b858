"""How far steps that make known mistakes are from what a subject shows."""

from collections.abc import Callable, Iterable
from functools import cache

from bloop_proofs.mistakes.looks import Probe, Seen
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.subject import StepRaised

Model = tuple[Mistake, ...]
"""Mistakes that are made together; a right step for none."""

IMPOSSIBLE = Seen(("impossible",))
"""What mistakes show that cannot be made together."""
RAISES = (StepRaised.__name__,)


@cache
def shown(mistake: Mistake | None, probe: Probe) -> Seen:
    """Return what a mistake, or a right step for ``None``, shows at a probe."""
    return probe.at(probe.played((mistake,) if mistake else ()))


def wrong_at(mistake: Mistake, probe: Probe) -> bool:
    """Whether a mistake shows something else than a right step."""
    return not probe.alike(shown(mistake, probe), shown(None, probe), mistake.unit)


def _together(model: Model, probe: Probe) -> Seen:
    try:
        seen = probe.at(probe.played(model))
    except ValueError:
        return IMPOSSIBLE
    raised = seen.words == RAISES and not any(shown(m, probe).words == RAISES for m in model)
    return IMPOSSIBLE if raised else seen


class Evidence:
    """What a subject shows at some probes, beside what models show there."""

    def __init__(self, probes: Iterable[Probe], look: Callable[[Probe], Seen]) -> None:
        """Look at the subject once with every probe."""
        self.seen = {probe: look(probe) for probe in probes}
        self._shown: dict[tuple[Model, Probe], Seen] = {}
        self.wrong = {probe: self.misfit((), probe) for probe in self.seen}

    def by(self, model: Model, probe: Probe) -> Seen:
        """Return what a model shows at a probe."""
        if len(model) < 2 and not (model and model[0].made):
            return shown(model[0] if model else None, probe)
        key = model, probe
        if key not in self._shown:
            self._shown[key] = _together(model, probe)
        return self._shown[key]

    def misfits(self, model: Model, probe: Probe) -> tuple[float, ...]:
        """Return how far a model is from the subject in every output at a probe, and in words.

        0 is up to rounding, and 1 as far as a right step, or farther.
        """
        coarse = [mistake.unit for mistake in model if mistake.unit]
        exact = self.by(tuple(m for m in model if not m.unit), probe) if coarse else None
        unit = max(coarse, default=0.0)
        seen, right = self.seen[probe], shown(None, probe)
        return probe.misfits(self.by(model, probe), seen, right, exact, unit)

    def misfit(self, model: Model, probe: Probe) -> float:
        """Return the sum of the misfits at a probe."""
        return sum(self.misfits(model, probe))

    def agrees(self, model: Model, probe: Probe) -> bool:
        """Whether a model shows what the subject shows."""
        return not self.misfit(model, probe)

    def loss(self, model: Model, probes: Iterable[Probe] | None = None) -> float:
        """Return the sum of the misfits at some probes, or at all."""
        return sum(self.misfit(model, probe) for probe in (self.seen if probes is None else probes))

    def left(self, model: Model) -> list[Probe]:
        """Return where a model differs from the subject, first where it differs most."""
        far = {
            probe: probe.apart(self.seen[probe], self.by(model, probe))
            for probe in self.seen
            if not self.agrees(model, probe)
        }
        return sorted(far, key=far.__getitem__, reverse=True)

    def share(self, model: Model) -> float:
        """Return how much of what is wrong with the subject a model explains."""
        wrong = sum(self.wrong.values())
        return max(0.0, 1 - self.loss(model) / wrong) if wrong else 0.0
