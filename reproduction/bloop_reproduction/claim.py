"""What a claim is: what the paper says, the runs that measure it, and how they are read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from matplotlib.figure import Figure

Setting = Mapping[str, Any]
"""What one run is of: JSON values by name, the seed among them."""
Measured = Mapping[str, Any]
"""What came out of a run: JSON values by name."""
Verdict = Literal["holds", "in part", "does not hold"]


class Row(NamedTuple):
    """A run that is over: what it was of, what it gave, and how long it took, in seconds."""

    setting: Setting
    measured: Measured
    seconds: float


class Number(NamedTuple):
    """A number that was measured, and its 95% bootstrap interval over seeds.

    ``low == high == value`` marks a number without chance in it.
    """

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Finding:
    """What the runs of a claim say: a verdict read off the numbers, and the likely reason for it.

    The first number is the one that the verdict stands on; ``reason`` may be empty where the claim
    holds.
    """

    verdict: Verdict
    numbers: tuple[Number, ...]
    reason: str = ""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, or a question that it leaves open, that a command answers.

    Attributes:
        name: what the command calls it, such as ``"figure-2"``.
        where: the figure, section or equation.
        says: what the paper says there, in our words; or the question.
        settings: from ``quick`` to the settings of all runs; at least five seeds unless quick.
        measure: makes one run, in a process of its own, on one thread; deterministic for a setting.
        read: from all rows to the finding. Total: any result has a verdict, none is assumed.
        draw: draws all rows into an empty figure; no verdict stands in it.
        needs: the modules beyond the extra ``demo`` that it imports, such as ``("torch",)``.
        size: the figure's width and height in inches.
    """

    name: str
    where: str
    says: str
    settings: Callable[[bool], Sequence[Setting]]
    measure: Callable[[Setting], Measured]
    read: Callable[[Sequence[Row]], Finding]
    draw: Callable[[Figure, Sequence[Row]], None]
    needs: tuple[str, ...] = ()
    size: tuple[float, float] = (6.4, 4.0)
