"""Bounds on a step of Bloop by any program, and the measures that all bounds are made of."""

import math
from functools import cache
from typing import Any

import numpy as np

from bloop_proofs.cases import Gradient

SLACK = 4
"""Twice the roundings of the equations as printed: formulas that are right may be longer."""


def unit_roundoff(*gradients: Gradient) -> float:
    """Return the largest unit roundoff, half the spacing at 1, among some gradients' dtypes."""
    spacings = (_spacing(leaf.dtype) for gradient in gradients for leaf in gradient)
    return max(spacings, default=0.0) / 2


@cache
def _spacing(dtype: Any) -> float:
    return 2.0**-7 if dtype.name == "bfloat16" else float(np.finfo(dtype).eps)


def norm(vector: np.ndarray) -> float:
    """Return the Euclidean norm, safe from overflow and underflow of the squares."""
    return math.hypot(*vector.tolist())


def direction_bound(u: float, n: int, main: float, aux: float, lam: float) -> float:
    """Return the bound on ||computed d - exact d|| for gradients of norm ``main`` and ``aux``.

    The two inner products err by (n + 1) u relative to the norms, their quotient by (2 n + 3) u
    relative to ||g_aux|| / ||e||; scaling e, subtracting, weighting and adding round five times
    more, and the sum with g_main once: (2 n + 8) u lam ||g_aux|| + 2 u ||g_main||. Unit vectors,
    cosines or a second projection round each factor once more, at most as often again, which is
    what ``SLACK`` allows for.
    """
    return SLACK * u * ((n + 4) * lam * aux + main)


def underflow_bound(*gradients: Gradient) -> float:
    """Return what underflow may add to any bound on a vector: the least normal number per entry.

    The other bounds are relative, and hold as long as nothing leaves the normal range. An entry, or
    a product, that does errs by less than the least normal number of its dtype even where it is
    flushed to zero. So the vector errs by the root of the sum of the squares of these numbers,
    where leaves differ each the largest among the gradients' dtypes.
    """
    leaves = zip(*gradients, strict=True)
    return math.hypot(
        *(
            math.sqrt(max(map(_entries, together))) * max(map(_tiny, together))
            for together in leaves
        )
    )


def _entries(leaf: np.ndarray) -> int:
    return leaf.size * (2 if leaf.dtype.kind == "c" else 1)


def _tiny(leaf: np.ndarray) -> float:
    # NumPy has no limits for bfloat16, whose range is float32's
    return 2.0**-126 if leaf.dtype.name == "bfloat16" else float(np.finfo(leaf.dtype).tiny)


def average_bound(u: float, coarse: float, main: float, ema: float, rho: float) -> float:
    """Return the bound on ||computed - exact|| for the new EMA.

    (1 - rho) e + rho g rounds each product once or twice and the sum once; e + rho (g - e) rounds
    the difference, the product and the sum: at most 3 u (||e|| + ||g||) either way, u that of the
    EMA's dtype. Where g has a coarser dtype, of roundoff ``coarse``, the weighted gradient may
    have been rounded to that twice: 2 coarse rho ||g|| more.
    """
    return SLACK * u * (main + ema) + (2 * coarse * rho * main if coarse > u else 0.0)


def rounding(size: float, n: int) -> float:
    """Return the bound on the suite's own float64 sums of n products of a given size."""
    return SLACK * (n + 4) * 2.0**-53 * size


def safe_exponent(gradient: Gradient, factors: int = 3) -> int:
    """Return how far a power of two may scale small numbers so that products stay normal.

    <a, e> e / ||e||^2, read from the left, is a product of three before it is divided; other
    methods multiply two inner products, and so four entries. The last sixth of the range is left
    for sums, for lam, and for entries between 1/8 and 16.
    """
    least = min(float(np.log2(np.finfo(leaf.dtype).tiny)) for leaf in gradient)
    return int(-least * 5 / 6 / factors)


def likeness_bound(u: float, n: int, size: float) -> float:
    """Return how far two ways of computing the same thing, right or wrong, may lie apart.

    Each of the two sums n products and then combines vectors, which errs by ``SLACK (n + 4) u``
    relative to the vectors combined, as in ``direction_bound``; ``size`` is the sum of their norms.
    A wrong formula may divide by something smaller than the norms, by a cosine or a small
    combination: the inputs keep such divisors above 1 / ``SLACK`` of the norms.
    """
    return 2 * SLACK * SLACK * (n + 4) * u * size
