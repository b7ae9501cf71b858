"""Fitting the constant in a mistake: an epsilon, a clamp, a factor, a cutoff."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from bloop_proofs.mistakes.evidence import Evidence, Model
from bloop_proofs.mistakes.looks import Probe
from bloop_proofs.mistakes.mistake import Mistake

POWERS = range(-16, 5, 2)
"""The powers of ten among which a constant is looked for first, and then between two of them."""
NEAR = 4
"""It is fitted on so many inputs beside the first."""
STEPS = 56
"""So often the interval that holds its logarithm is divided by the golden ratio."""
DIGITS = 12
"""So many digits of a constant show in double precision."""
GOLDEN = (math.sqrt(5) - 1) / 2
BEST = 4
"""So many mistakes get constants that are more than a power of ten."""
ENOUGH = 1.001
"""Fewer digits must explain as much, up to such a factor of what is left."""


def fitted(
    evidence: Evidence, model: Model, catalogue: Iterable[Mistake], probes: Sequence[Probe]
) -> list[Mistake]:
    """Return the mistakes with constants that, on top of a model, explain most of some probes.

    The power of ten is looked for first, and for the best of them the logarithm in an interval
    around it. The constant is rounded to the fewest digits that explain as much.
    """
    # where a constant shows most it often shows all that it can, whatever its size
    finest = min(probe.roundoff for probe in probes)
    some = [probes[0], *probes[1 :: -(-(len(probes) - 1) // NEAR) or 1]]
    some += [p for p in probes if p.roundoff == finest and p not in some][:NEAR]
    fits = [_Fit(evidence, model, m, some) for m in catalogue if m.fitted]
    now = evidence.misfit(model, probes[0])
    better = [fit for fit in fits if fit.first < now]
    return [fit.nearest() for fit in sorted(better, key=lambda fit: fit.least)[:BEST]]


class _Fit:
    """The search for the constant of one mistake."""

    def __init__(
        self, evidence: Evidence, model: Model, mistake: Mistake, probes: Sequence[Probe]
    ) -> None:
        self._evidence, self._model, self._mistake = evidence, model, mistake
        self._probes = probes
        self._known: dict[str, Mistake] = {}
        self._firsts = {power: self._misfit(power) for power in POWERS}
        self.first = min(self._firsts.values())

    @cached_property
    def _losses(self) -> dict[int, float]:
        """The losses of the powers of ten that explain something of the first input."""
        top = max(self._firsts.values())
        told = [power for power, loss in self._firsts.items() if loss < top or loss <= self.first]
        return {x: self._loss(x) for power in told for x in (power - 1, power)}

    @property
    def least(self) -> float:
        """The loss of the best power of ten."""
        return min(self._losses.values())

    def _with(self, x: float, digits: int) -> Model:
        text = written(10.0**x, digits)
        if text not in self._known:
            assert self._mistake.fitted
            self._known[text] = self._mistake.fitted(text)
        return (*self._model, self._known[text])

    def _misfit(self, power: int) -> float:
        return self._evidence.misfit(self._with(power, 1), self._probes[0])

    def _loss(self, x: float, digits: int = DIGITS) -> float:
        return self._evidence.loss(self._with(x, digits), self._probes)

    def nearest(self) -> Mistake:
        """Return the mistake with the constant that explains most."""
        x: float = min(self._losses, key=self._losses.__getitem__)
        if self.least:
            x = _narrowed(self._loss, x - 1, x + 1)
        enough = ENOUGH * self._loss(x)
        digits = next(n for n in range(1, DIGITS + 1) if self._loss(x, n) <= enough or n == DIGITS)
        return self._with(x, digits)[-1]


def _narrowed(loss: Callable[[float], float], low: float, high: float) -> float:
    """Return the least point of a function that falls and rises once, by golden sections."""
    inner = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)]
    values = [loss(x) for x in inner]
    for _ in range(STEPS):
        if not min(values):
            break
        if values[0] <= values[1]:
            high = inner[1]
            inner = [high - GOLDEN * (high - low), inner[0]]
            values = [loss(inner[0]), values[0]]
        else:
            low = inner[0]
            inner = [inner[1], low + GOLDEN * (high - low)]
            values = [values[1], loss(inner[1])]
    return inner[values[1] < values[0]]


def written(value: float, digits: int) -> str:
    """Return a number with some significant digits, as people write it.

    Example:
        >>> written(1.04e-7, 1), written(0.25, 7), written(1.1920929e-07, 4)
        ('1e-7', '0.25', '1.192e-7')
    """
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e")
