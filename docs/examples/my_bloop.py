"""Bloop in plain NumPy: one step of Algorithm 1, for a list of arrays, one per parameter."""

from typing import Any

import numpy as np

Gradient = list[np.ndarray[Any, Any]]


def inner(xs: Gradient, ys: Gradient) -> float:
    """Return <x, y> over all parameters together, summed in float64."""
    return sum(float(np.vdot(wide(x), wide(y)).real) for x, y in zip(xs, ys, strict=True))


def wide(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return an array in float64, or complex128, where squares of float16 do not overflow."""
    return x.astype(np.result_type(x, np.float64))


def step(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> tuple[Gradient, Gradient]:
    """Return the direction, and the EMA of the main gradients after this batch."""
    square = inner(ema, ema)
    c = inner(g_aux, ema) / square if square else 0.0
    direction = [
        np.asarray(g + lam * (a - c * e), g.dtype)
        for g, a, e in zip(g_main, g_aux, ema, strict=True)
    ]
    new_ema = [
        np.asarray((1 - rho) * e + rho * g, e.dtype) for g, e in zip(g_main, ema, strict=True)
    ]
    return direction, new_ema
