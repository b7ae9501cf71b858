"""What right and wrong steps of many methods are made of.

They work on the rows of a matrix, and on anything else that is added, scaled and multiplied.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm

LAMS = (1.0, 2.0, 0.5, 0.125, 3.0, 0.1, 1e4)
BETAS = (0.5, 0.25, 0.1, 0.01)
Orders = Sequence[Sequence[int]]


def vectors(case: Case) -> np.ndarray:
    """Return the gradients of the last step as the rows of a float64 matrix."""
    return np.array([flat(gradient) for gradient in case.gradients])


def norms(rows: np.ndarray) -> np.ndarray:
    """Return the norms of some vectors."""
    return np.array([norm(row) for row in rows])


def units(rows: np.ndarray) -> np.ndarray:
    """Return every vector over its norm, 0 for 0."""
    return np.array([ratio(row, norm(row)) for row in rows])


def length(v: Any) -> float:
    """Return the norm, the root of an inner product."""
    return float(np.sqrt(positive(v @ v)))


def ratio(numerator: Any, denominator: Any) -> Any:
    """Return a quotient, 0 where the denominator is 0; entry by entry for many denominators."""
    if np.ndim(denominator):
        return np.where(
            denominator == 0, 0.0, numerator / np.where(denominator == 0, 1, denominator)
        )
    return numerator / denominator if denominator != 0 else 0.0 * numerator


def share(v: Any, w: Any) -> float:
    """Return <v, w> / ||w||^2, 0 for w = 0."""
    return float(ratio(v @ w, w @ w))


def cosine(v: Any, w: Any) -> float:
    """Return the cosine, 0 with a zero vector."""
    return float(ratio(v @ w, length(v) * length(w)))


def negative(x: float) -> float:
    """Return min(x, 0), NaN for NaN."""
    return float(np.minimum(x, 0.0))


def positive(x: float) -> float:
    """Return max(x, 0), NaN for NaN."""
    return float(np.maximum(x, 0.0))


def off(x: Any, y: Any) -> Any:
    """Return x, less its part along y where they conflict."""
    return x - negative(share(x, y)) * y


def ascending(orders: Orders | None, losses: int) -> Orders:
    """Return the orders, ascending ones where none are given."""
    return orders or [[j for j in range(losses) if j != i] for i in range(losses)]


def main_only(orders: Orders | None, losses: int) -> Orders:
    """Return orders in which the main gradient alone meets others."""
    return [ascending(orders, losses)[0], *([] for _ in range(losses - 1))]
