"""Telling which known mistake a subject makes."""

import math
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


Choice = tuple[Mistake, int, int]
"""A mistake, and a digit and a power of ten for the constant in it."""
POWERS = range(-16, 3)
"""The powers that are tried; people write constants of one digit."""


def _fitted(subject: Subject, listed: Sequence[Mistake], probes: Probes) -> list[Mistake]:
    """Return the mistakes with another constant that resemble a subject where it is most wrong.

    The power of the constant is looked for first, and then the digit.
    """
    wrong = {}
    for probe in probes.ordinary:
        found, right = probe.at(subject), shown(None, probe)
        if not probe.alike(found, right) and math.isfinite(probe.apart(found, right)):
            wrong[probe] = probe.apart(found, right)
    if not wrong:
        return []
    telling = max(wrong, key=wrong.__getitem__)
    seen = telling.at(subject)

    def apart(made: Mistake) -> float:
        return telling.apart(telling.at(telling.played(made)), seen)

    def nearest(choices: set[Choice], most: int) -> list[tuple[Choice, Mistake]]:
        made = {c: c[0].fitted(f"{c[1]}e{c[2]}") for c in choices if c[0].fitted}
        distances = {choice: apart(mistake) for choice, mistake in made.items()}
        return sorted(made.items(), key=lambda item: distances[item[0]])[:most]

    rough = nearest({(m, 1, power) for m in listed for power in POWERS}, 4)
    around = [(m, power - s) for (m, _, power), _ in rough for s in (0, 1)]
    fine = nearest({(m, digit, power) for m, power in around for digit in range(1, 10)}, 9)
    return [mistake for _, mistake in fine]


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
