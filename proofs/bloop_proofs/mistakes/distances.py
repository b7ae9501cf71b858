"""How far what a step shows is from what a known mistake shows, where both are finite."""

from typing import Any

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import likeness_bound, norm

SHOWING = 16
"""Rounding errors of one origin are of one size, up to such a factor."""


def near(found: np.ndarray | None, known: np.ndarray | None, u: float, n: int, size: float) -> bool:
    """Whether two vectors are alike up to rounding; ``None`` is one that is not finite."""
    if found is None or known is None or found.shape != known.shape:
        return found is known is None
    return norm(found - known) <= likeness_bound(u, n, size + norm(known))


def rounded(found: Any, known: Any, exact: Any, unit: float, n: int, size: float) -> bool:
    """Whether two vectors are alike up to rounding that shows in both, and about as much."""
    if found is None or known is None or exact is None or not near(found, known, unit, n, size):
        return False
    less, more = sorted((norm(found - exact), norm(known - exact)))
    return more <= SHOWING * less


def far(found: Any, known: Any, right: Any) -> float:
    """Return the distance of two vectors over that from a right one, 1 at most."""
    if any(x is None or x.shape != known.shape for x in (known, found, right)):
        return 1.0
    whole = norm(known - right)
    return min(1.0, norm(found - known) / whole) if whole else 1.0


def finite_part(gradient: Gradient) -> np.ndarray:
    """Return the finite entries of a gradient."""
    vector = flat(gradient)
    return np.asarray(vector[np.isfinite(vector)])


def finite_vector(gradient: Gradient) -> np.ndarray | None:
    """Return a gradient as one long vector, ``None`` where it is not finite."""
    vector = flat(gradient)
    return vector if np.all(np.isfinite(vector)) else None
