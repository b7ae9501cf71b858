"""Right pieces that the catalogue's wrong steps are put together from, in wide arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bloop_proofs.cases import Gradient


@dataclass(frozen=True)
class Now:
    """The inputs of one step: the gradients g and a, the EMA e, and the weights."""

    g: Gradient
    a: Gradient
    e: Gradient
    lam: float
    rho: float

    def but(self, **changes: Any) -> "Now":
        """Return the inputs, some of them changed."""
        return replace(self, **changes)


def wide(leaf: np.ndarray) -> np.ndarray:
    """Return a leaf in float64, or complex128."""
    return leaf.astype(np.complex128 if leaf.dtype.kind == "c" else np.float64)


def like(gradient: Gradient, model: Gradient) -> Gradient:
    """Return a gradient in the dtypes of another."""
    return [np.asarray(x).astype(m.dtype) for x, m in zip(gradient, model, strict=True)]


def inner(x: Gradient, y: Gradient) -> float:
    """Return the real inner product over all leaves."""
    pairs = zip(x, y, strict=True)
    return float(sum(np.vdot(wide(p), wide(q)).real for p, q in pairs))


def norm(x: Gradient) -> float:
    """Return the 2-norm over all leaves."""
    return float(np.sqrt(inner(x, x)))


def ratio(numerator: Any, denominator: Any) -> Any:
    """Return a quotient, 0 where the denominator is 0."""
    return numerator / denominator if denominator != 0 else 0.0


def total(*terms: tuple[Any, Gradient]) -> Gradient:
    """Return a linear combination of gradients; a coefficient may be a list, one per leaf."""
    rows = [(c if isinstance(c, list) else [c] * len(x), x) for c, x in terms]
    count = len(terms[0][1])
    return [np.asarray(sum(c[i] * wide(x[i]) for c, x in rows)) for i in range(count)]


def share(u: Gradient, v: Gradient) -> float:
    """Return <u, v> / ||v||^2, the coefficient of u's part along v; 0 for v = 0."""
    return float(ratio(inner(u, v), inner(v, v)))


def pi(u: Gradient, v: Gradient) -> Gradient:
    """Return the part of u orthogonal to v."""
    return total((1, u), (-share(u, v), v))


def subtracting(coefficient: Any, s: Now) -> Gradient:
    """Return g + lam (a - coefficient e): a direction in all but its coefficient."""
    each = coefficient if isinstance(coefficient, list) else [coefficient] * len(s.e)
    return total((1, s.g), (s.lam, s.a), ([-s.lam * c for c in each], s.e))


def direction(s: Now) -> Gradient:
    """Return eq. 5."""
    return subtracting(share(s.a, s.e), s)


def average(s: Now) -> Gradient:
    """Return the new EMA of Algorithm 1."""
    return total((1 - s.rho, s.e), (s.rho, s.g))


Part = Callable[[Now], Gradient]
Pair = tuple[Gradient, Gradient]
"""A direction and a new EMA."""
Whole = Callable[[Now], Pair]


def right(s: Now) -> Pair:
    """Return a right step's direction and new EMA, in the protocol's dtypes."""
    return like(direction(s), s.g), like(average(s), s.e)
