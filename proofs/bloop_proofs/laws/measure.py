"""Comparing what a subject returned with what a law requires, within the derived bounds."""

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import LawViolation, require
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import (
    average_bound,
    direction_bound,
    norm,
    underflow_bound,
    unit_roundoff,
)


def direction_tolerance(case: Case, *, factor: float = 1.0) -> float:
    """Return how far the direction of a case may be from the exact one."""
    g, a = flat(case.g_main), flat(case.g_aux)
    u = unit_roundoff(case.g_main, case.g_aux, case.ema)
    bound = factor * direction_bound(u, g.size, norm(g), norm(a), case.lam)
    return bound + underflow_bound(case.g_main, case.g_aux, case.ema)


def average_tolerance(case: Case) -> float:
    """Return how far the new EMA of a case may be from the exact one."""
    u, coarse = unit_roundoff(case.ema), unit_roundoff(case.g_main)
    bound = average_bound(u, coarse, norm(flat(case.g_main)), norm(flat(case.ema)), case.rho)
    return bound + underflow_bound(case.g_main, case.ema)


def require_close(what: str, found: np.ndarray, required: np.ndarray, bound: float) -> None:
    """Raise unless two vectors lie within a distance."""
    if found.shape != required.shape:
        raise LawViolation(f"{what} must have {required.size} entries; found {found.size}")
    if not np.all(np.isfinite(found)):
        raise LawViolation(f"{what} must be finite, {_show(required)}; found {_show(found)}")
    distance = norm(found - required)
    if not distance <= bound:  # printing vectors costs more than comparing them
        raise LawViolation(
            f"{what} must be {_show(required)} within {bound:.3g}; "
            f"found {_show(found)}, at a distance of {distance:.3g}"
        )


def require_small(what: str, found: float, bound: float) -> None:
    """Raise unless a number is 0 within a bound."""
    require(abs(found) <= bound, f"{what} must be 0 within {bound:.3g}; found {found:.6g}")


def _show(vector: np.ndarray) -> str:
    entries = ", ".join(f"{x:.6g}" for x in vector[:6])
    return f"[{entries}{', ...' if vector.size > 6 else ''}]"
