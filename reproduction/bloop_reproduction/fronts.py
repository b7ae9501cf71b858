"""Fronts of two losses over recorded runs: one for each seed, compared seed by seed.

A row's setting has a ``seed`` and a ``lam``, and what else tells the fronts apart; what was
measured has a ``main`` and an ``aux`` loss.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bloop_reproduction.claim import Measured, Row, Verdict
from bloop_reproduction.statistics import Front

Plane = Callable[[Measured], tuple[float, float]]
"""Where a run lies: the auxiliary loss to the right, the main loss up."""
LEAST = 1e-300
"""What the logarithm takes a loss of 0 for."""


def as_drawn(measured: Measured) -> tuple[float, float]:
    """Return both losses as they are."""
    return measured["aux"], measured["main"]


def decades(measured: Measured) -> tuple[float, float]:
    """Return both losses in decades, for losses that are positive."""
    aux, main = np.log10(np.maximum(as_drawn(measured), LEAST))
    return float(aux), float(main)


def main_in_decades(measured: Measured) -> tuple[float, float]:
    """Return the main loss in decades, and the auxiliary one, itself a logarithm, as it is."""
    return measured["aux"], float(np.log10(max(measured["main"], LEAST)))


def select(rows: Sequence[Row], **chosen: Any) -> list[Row]:
    """Return the rows whose settings have these values."""
    return [row for row in rows if all(row.setting.get(k) == v for k, v in chosen.items())]


def seeds(rows: Sequence[Row]) -> list[int]:
    """Return the seeds of some rows, rising."""
    return sorted({row.setting["seed"] for row in rows})


def values(rows: Sequence[Row], name: str, **chosen: Any) -> NDArray[np.float64]:
    """Return what was measured, by seed, of rows that differ in nothing else."""
    found = select(rows, **chosen)
    return np.array([row.measured[name] for row in sorted(found, key=_seed)], float)


def fronts(rows: Sequence[Row], plane: Plane = as_drawn, **chosen: Any) -> dict[int, Front]:
    """Return a front for each seed, its points in order of lam."""
    found = sorted(select(rows, **chosen), key=lambda row: row.setting["lam"])
    return {
        seed: np.array([plane(row.measured) for row in found if _seed(row) == seed])
        for seed in seeds(found)
    }


def height(front: Front, x: float) -> float:
    """Return the second coordinate of a front at a first one, interpolated between its points.

    >>> height(np.array([[2.0, 1.0], [0.0, 3.0]]), 0.5)
    2.5
    """
    points = front[np.argsort(front[:, 0])]
    return float(np.interp(x, points[:, 0], points[:, 1]))


def common(some: Sequence[Front]) -> tuple[float, float]:
    """Return the ends of the first coordinates that all fronts reach; the first may be above."""
    return max(float(f[:, 0].min()) for f in some), min(float(f[:, 0].max()) for f in some)


def verdict(parts: Sequence[bool]) -> Verdict:
    """Return what a claim of several parts comes to.

    >>> verdict([True, False])
    'in part'
    """
    if all(parts):
        return "holds"
    return "in part" if any(parts) else "does not hold"


def _seed(row: Row) -> int:
    seed: int = row.setting["seed"]
    return seed
