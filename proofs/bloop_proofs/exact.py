"""What a step must give, in exact rational arithmetic: the shipped reference, run on fractions."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

import bloop_ref
from bloop_proofs.cases import Gradient


def fractions(gradient: Gradient) -> list[np.ndarray]:
    """Return a gradient as arrays of fractions; a complex leaf as its real and imaginary parts."""
    return [_fractions(_real(leaf)) for leaf in gradient]


def _real(leaf: np.ndarray) -> np.ndarray:
    return np.stack([leaf.real, leaf.imag], -1) if leaf.dtype.kind == "c" else leaf


def _fractions(leaf: np.ndarray) -> np.ndarray:
    exact = np.empty(leaf.shape, dtype=object)
    exact.ravel()[:] = [Fraction(x) for x in leaf.astype(np.float64).ravel().tolist()]
    return exact


def direction(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float) -> np.ndarray:
    """Return Bloop's exact direction (eq. 5) as one long vector, each entry rounded once."""
    exact = bloop_ref.bloop_direction(*map(fractions, (g_main, g_aux, ema)), lam=Fraction(lam))
    return rounded(exact)


def average(ema: Gradient, g_main: Gradient, *, rho: float) -> np.ndarray:
    """Return the exact new EMA (Algorithm 1) as one long vector, each entry rounded once."""
    return rounded(bloop_ref.update_ema(fractions(ema), fractions(g_main), rho=Fraction(rho)))


def projected(vector: Gradient, *span: Gradient) -> np.ndarray:
    """Return the exact part of a vector orthogonal to a span, as one long vector."""
    exact = bloop_ref.project_orthogonal(fractions(vector), *map(fractions, span))
    return rounded(exact)


def rounded(gradient: Sequence[Any]) -> np.ndarray:
    """Return exact leaves as one long float64 vector."""
    return np.array([float(x) for leaf in gradient for x in np.ravel(leaf)], dtype=np.float64)
