"""Telling which known mistake a subject makes."""

from collections.abc import Iterable, Sequence
from functools import cache

from bloop_proofs.mistakes.looks import Probe, Probes, Seen
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.quiet import silence
from bloop_proofs.subject import Subject


@cache
def shown(mistake: Mistake | None, probe: Probe) -> Seen:
    """Return what a mistake, or a right step for ``None``, shows at a probe."""
    return probe.at(probe.played(mistake))


def wrong_at(mistake: Mistake, probe: Probe) -> bool:
    """Whether a mistake shows something else than a right step."""
    return not probe.alike(shown(mistake, probe), shown(None, probe), mistake.unit)


def explanations(subject: Subject, catalogue: Iterable[Mistake], probes: Probes) -> list[Mistake]:
    """Return the mistakes that show what a subject shows, the most likely first.

    A mistake must agree with the subject on all ordinary inputs and be wrong on one of them, or
    agree on all of these and on every special input where it is wrong. The catalogue's order is
    kept, but for those who agree on only a part of the special inputs on which another agrees.
    Steps with a memory are known by what their outputs depend on.
    """
    with silence():
        listed = list(catalogue)
        found = _by_values(subject, [m for m in listed if not m.remembers], probes)
        found = found or _by_history(subject, [m for m in listed if m.remembers], probes.history)
        return found or _by_values(subject, _fitted(subject, listed, probes), probes)


CONSTANTS = [f"{digit}e{power}" for power in range(-16, 3) for digit in range(1, 10)]
"""The constants that people write: one digit, and a power of ten."""


def _fitted(subject: Subject, listed: Sequence[Mistake], probes: Probes) -> list[Mistake]:
    """Return the mistakes with another constant that resemble a subject where it is most wrong."""
    found = [(probe, probe.at(subject), shown(None, probe)) for probe in probes.ordinary]
    odd = {p: p.apart(seen, right) for p, seen, right in found if not p.alike(seen, right)}
    if not odd:
        return []
    telling = max(odd, key=odd.__getitem__)
    seen = telling.at(subject)
    made = [m.fitted(value) for m in listed if m.fitted for value in CONSTANTS]
    distances = {m: telling.apart(telling.at(telling.played(m)), seen) for m in made}
    near = sorted(made, key=distances.__getitem__)
    return [m for m in near[:9] if telling.alike(telling.at(telling.played(m)), seen)]


def _by_values(subject: Subject, listed: Sequence[Mistake], probes: Probes) -> list[Mistake]:
    @cache
    def seen(probe: Probe) -> Seen:
        return probe.at(subject)

    def agrees(mistake: Mistake | None, probe: Probe) -> bool:
        unit = mistake.unit if mistake else 0.0
        return probe.alike(seen(probe), shown(mistake, probe), unit)

    def explains(mistake: Mistake) -> bool:
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


def _by_history(subject: Subject, listed: Sequence[Mistake], probe: Probe) -> list[Mistake]:
    seen = probe.at(subject)
    return [m for m in listed if wrong_at(m, probe) and probe.alike(seen, shown(m, probe))]
