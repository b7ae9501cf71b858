"""Telling which known mistake a subject makes."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, TypeVar

from bloop_proofs.mistakes.looks import Probe, Seen
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.mistakes.probes import Probes
from bloop_proofs.quiet import silence

M = TypeVar("M", bound=Mistake)


@cache
def shown(mistake: Mistake | None, probe: Probe) -> Seen:
    """Return what a mistake, or a right step for ``None``, shows at a probe."""
    return probe.at(probe.played(mistake))


def wrong_at(mistake: Mistake, probe: Probe) -> bool:
    """Whether a mistake shows something else than a right step."""
    return not probe.alike(shown(mistake, probe), shown(None, probe), mistake.unit)


def explanations(subject: Any, catalogue: Iterable[M], probes: Probes) -> list[M]:
    """Return the mistakes that show what a subject shows, the most likely first.

    A mistake must agree with the subject on all ordinary inputs and be wrong on one of them, or
    agree on all of these and on every special input where it is wrong. The catalogue's order is
    kept, but for those who agree on only a part of the special inputs on which another agrees.
    Steps with a memory are known by what their outputs depend on.
    """
    with silence():
        listed = list(catalogue)
        found = _by_values(subject, [m for m in listed if not m.remembers], probes)
        return found or _by_history(subject, [m for m in listed if m.remembers], probes.history)


def _by_values(subject: Any, listed: Sequence[M], probes: Probes) -> list[M]:
    @cache
    def seen(probe: Probe) -> Seen:
        return probe.at(subject)

    def agrees(mistake: M | None, probe: Probe) -> bool:
        unit = mistake.unit if mistake else 0.0
        return probe.alike(seen(probe), shown(mistake, probe), unit)

    def explains(mistake: M) -> bool:
        if any(wrong_at(mistake, probe) for probe in probes.ordinary):
            return True
        telling = [probe for probe in probes.special if wrong_at(mistake, probe)]
        return bool(telling) and all(agrees(mistake, probe) for probe in telling)

    left = list(listed)
    if all(agrees(None, probe) for probe in probes.ordinary):
        # saves time: who explains nothing of what is wrong need not be looked at elsewhere
        odd = [probe for probe in probes.special if not agrees(None, probe)]
        left = [m for m in left if any(agrees(m, p) and wrong_at(m, p) for p in odd)]
    for probe in probes.ordinary:
        left = [mistake for mistake in left if agrees(mistake, probe)]
    found = [mistake for mistake in left if explains(mistake)]
    if len(found) < 2:
        return found
    agreed = {m: {probe for probe in probes.special if agrees(m, probe)} for m in found}
    return sorted(found, key=lambda m: any(agreed[m] < more for more in agreed.values()))


def _by_history(subject: Any, listed: Sequence[M], probe: Probe) -> list[M]:
    seen = probe.at(subject)
    return [m for m in listed if wrong_at(m, probe) and probe.alike(seen, shown(m, probe))]
