"""What the catalogue's wrong steps do with gradients, lists of arrays, in wide arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.subject import Step

Pair = tuple[Gradient, Gradient]
"""A direction and a new EMA."""


@dataclass(frozen=True)
class Now:
    """The inputs of one step: the gradients g and a, the EMA e, the weights, the step itself."""

    g: Gradient
    a: Gradient
    e: Gradient
    lam: float
    rho: float
    under: Step

    def but(self, **changes: Any) -> "Now":
        """Return the inputs, some of them changed."""
        return replace(self, **changes)

    def step(self) -> Pair:
        """Return the direction and the new EMA, right or with other mistakes in them."""
        outputs: Pair = self.under(self.g, self.a, self.e, lam=self.lam, rho=self.rho)
        return outputs


Whole = Callable[[Now], Pair]


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


def total(*terms: tuple[float, Gradient]) -> Gradient:
    """Return a linear combination of gradients."""
    rows = [[c * wide(leaf) for leaf in x] for c, x in terms]
    return [np.asarray(sum(leaves)) for leaves in zip(*rows, strict=True)]


def share(u: Gradient, v: Gradient) -> float:
    """Return <u, v> / ||v||^2, the coefficient of u's part along v; 0 for v = 0."""
    square = inner(v, v)
    return inner(u, v) / square if square else 0.0


def subtracting(coefficient: float, s: Now) -> Gradient:
    """Return g + lam (a - coefficient e): a direction in all but its coefficient."""
    return like(total((1, s.g), (s.lam, s.a), (-s.lam * coefficient, s.e)), s.g)
