"""What the NumPy implementations share: wide entries, dtypes given back, one vector of all leaves.

They differ in the arithmetic between these.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bloop_proofs.subject import Step

Leaves = list[np.ndarray]


def wide(leaf: Any) -> np.ndarray:
    """A leaf in at least float32, so that squares of half precision do not overflow."""
    return leaf.astype(np.result_type(leaf.dtype, np.float32))


def double(leaf: Any) -> np.ndarray:
    return leaf.astype(np.result_type(leaf.dtype, np.float64))


def given_back(leaves: Sequence[Any], like: Leaves) -> Leaves:
    return [np.asarray(x).astype(y.dtype) for x, y in zip(leaves, like, strict=True)]


def weighted(ema: Leaves, g_main: Leaves, rho: float) -> Leaves:
    """The EMA as Algorithm 1 prints it."""
    return [(1 - rho) * e + rho * g for e, g in zip(ema, g_main, strict=True)]


Coefficient = Callable[[Leaves, Leaves], Any]
Average = Callable[[Leaves, Leaves, float], Sequence[Any]]


def from_coefficient(coefficient: Coefficient, average: Average = weighted) -> Step:
    """A step that subtracts a multiple of each leaf of the EMA, of wide leaves."""

    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        g, a, e = ([wide(leaf) for leaf in v] for v in (g_main, g_aux, ema))
        c = coefficient(a, e)
        d = [x + lam * (y - c * z) for x, y, z in zip(g, a, e, strict=True)]
        return given_back(d, g_main), given_back(average(e, g, rho), ema)

    return step


Projection = Callable[[np.ndarray, np.ndarray], np.ndarray]


def from_projection(projection: Projection) -> Step:
    """A step that projects one long real vector on another; a complex entry is two real ones."""

    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        g, a, e = (joined(v) for v in (g_main, g_aux, ema))
        d = g + lam * projection(a, e)
        return cut(d, g_main), cut(e + rho * (g - e), ema)

    return step


def joined(leaves: Leaves) -> np.ndarray:
    parts = [np.ravel(double(leaf)) for leaf in leaves]
    return np.concatenate([x.view(np.float64) for x in parts])


def cut(vector: np.ndarray, like: Leaves) -> Leaves:
    sizes = [leaf.size * (2 if leaf.dtype.kind == "c" else 1) for leaf in like]
    parts = np.split(vector, np.cumsum(sizes)[:-1])
    typed = [
        x.view(np.complex128) if y.dtype.kind == "c" else x
        for x, y in zip(parts, like, strict=True)
    ]
    return [x.astype(y.dtype).reshape(y.shape) for x, y in zip(typed, like, strict=True)]
