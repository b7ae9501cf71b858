"""How far a right implementation can be from the exact answer: every bound the suite uses.

Each bound is a worst case over orders of operations, in the dtype of the gradients: any way of
summing n products errs by at most n u times the product of the norms (u the unit roundoff), and
nothing here is found by trial. ``n`` is the number of entries of all leaves together.
"""

import math
from collections.abc import Sequence
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


def safe_exponent(gradient: Gradient) -> int:
    """Return how far a power of two may scale small numbers so that products of three stay normal.

    <a, e> e / ||e||^2, read from the left, is a product of three before it is divided. The last
    sixth of the range is left for sums, for lam, and for entries between 1/8 and 16.
    """
    least = min(float(np.log2(np.finfo(leaf.dtype).tiny)) for leaf in gradient)
    return int(-least * 5 / 6 / 3)


def likeness_bound(u: float, n: int, size: float) -> float:
    """Return how far two ways of computing the same thing, right or wrong, may lie apart.

    Each of the two sums n products and then combines vectors, which errs by ``SLACK (n + 4) u``
    relative to the vectors combined, as in ``direction_bound``; ``size`` is the sum of their norms.
    A wrong formula may divide by something smaller than the norms, by a cosine or a small
    combination: the inputs keep such divisors above 1 / ``SLACK`` of the norms.
    """
    return 2 * SLACK * SLACK * (n + 4) * u * size


def reference_direction_factor(n: int, *, wider_sums: bool) -> float:
    """Return k such that the reference's d errs by at most k u (||g_main|| + lam ||g_aux||).

    u is the unit roundoff of the leaves. Where sums are carried in a wider dtype, the only error
    above second order is that of rounding d to the leaves, at most u ||d||; another u is room for
    2^28 float64 roundings under float32 leaves.

    Otherwise compensated sums give each of <a, e> and ||e||^2 within u, their quotient c within
    3 u and lam c within 4 u; lam itself may have to be rounded, and the combination rounds once.
    So the error is 4 u lam |c| ||e|| along e, u lam ||pi|| across it and u ||d|| in rounding. With
    cos the cosine of a and e that is at most u ||g|| + (4 |cos| + 2 |sin|) u lam ||a||, so at most
    sqrt(20) u (||g|| + lam ||a||); 5 leaves room for the second order. For n = 1 the sine is 0.
    """
    if wider_sums:
        return 2.0
    return 4.0 if n == 1 else 5.0


def reference_average_bound(u: float, main: float, ema: float) -> float:
    """Return the bound on the error of one EMA update by the reference, in norm.

    rho and 1 - rho err by u at most, each product and the sum are rounded once at most, relative
    to coefficients that add up to 1: 2 u (||e|| + ||g||).
    """
    return 2 * u * (main + ema)


def average_drift(u: float, size: float, rho: float) -> float:
    """Return the bound on the rounding error of the EMA of a constant gradient, however old.

    Each step adds an error of ``reference_average_bound`` with both norms at most ``size``, and
    leaves a part 1 - rho of the earlier ones: a geometric series of sum 1 / rho.
    """
    return reference_average_bound(u, size, size) / rho


def orthogonality_bound(u: float, vectors: int) -> float:
    """Return the bound on |<part, r>| / (||v|| ||r||), part = ``project_orthogonal(v, *span)``.

    r is any of the m vectors of the span. Each is the sum of its parts along the computed basis and
    of the rounding errors of 2 m projections, 2 m u ||r||. The last m projections each take what
    is left along one basis vector, and round: part has at most (m + 1) u ||v|| along each, and the
    parts of r along them have root sum square ||r||, so at most (m + 1) sqrt(m) u ||v|| ||r||
    together. The rounding of part to its dtype is one u more.
    """
    return (1 + 2 * vectors + (vectors + 1) * math.sqrt(vectors)) * u


def hierarchy_bound(u: float, sizes: Sequence[float], condition: float) -> float:
    """Return the bound on ||computed d - exact d|| of eq. 6, by the reference.

    ``sizes`` are ||g_0||, lam_1 ||g_1||, ..., lam_L ||g_L||; ``condition`` is the largest ratio of
    a reference's norm to that of its part outside the span of those before it. The computed basis
    vectors differ from the exact ones by 2 L u ``condition`` of their norms, which turns each of
    at most L projections by as much, twice counted in pi = v - (projection of v). The projections
    of g_k round 2 L times, leave (L + 1) sqrt(L) u along the basis, and lam_k, the product and the
    sum round once each.
    """
    levels = len(sizes) - 1
    turned = 4 * levels**2 * condition
    rounded = 2 * levels + (levels + 1) * math.sqrt(levels) + 3
    return u * (sizes[0] + (turned + rounded) * sum(sizes[1:]))


def compensated_bound(n: int, u: float, size: float) -> float:
    """Return the bound on the error of a compensated inner product, before its own rounding.

    Products and sums are split without error; only the errors, each at most u of its product or
    partial sum, are themselves added with rounding, in at most 2 + log2 n additions each way. The
    sums of absolute values are at most ``size``, the product of the norms.
    """
    return (2 + math.log2(max(n, 1))) ** 2 * u**2 * size


def inner_product_bound(n: int, exact: float, size: float, *, compensated: bool) -> float:
    """Return the bound on the error of the reference's inner product of n products in float64.

    Compensated sums round once at the end; plain ones round the n products and n sums of them.
    """
    u = 2.0**-53
    return u * exact + compensated_bound(n, u, size) if compensated else 2 * n * u * size


def combination_bound(exact: float, size: float, u: float) -> float:
    """Return the bound on one entry of the reference's combination of two vectors.

    It is rounded to the leaf once. Before, in float64 under a narrower leaf, both products and the
    sum are rounded; under a float64 leaf those errors are of second order. ``size`` is the sum of
    the absolute products.
    """
    wide = 2.0**-53
    first_order = 2 * wide * size if u > wide else 0.0
    return u * exact + first_order + 4 * wide**2 * size


def norm_bound(norm: float) -> float:
    """Return the bound on a float64 norm and on the norm it is compared with.

    Half a rounding of the square, one of the root and one of the scaling, on either side.
    """
    return 5 * 2.0**-53 * norm


def cosine_bound() -> float:
    """Return the bound on a float64 cosine and on the one it is compared with.

    Two roots, their product and the quotient round once each, the inner products once or half,
    on either side.
    """
    return 12 * 2.0**-53


def surgery_factor() -> float:
    """Return k such that mixed, PCGrad and dynamic barrier err by at most k u (||m|| + lam ||a||).

    As for Bloop, a quotient of inner products errs by 3 u and lam times it by 4 u; its subtraction
    from 1 rounds once more, and so does lam. So the coefficient of m errs by
    6 u (1 + lam |<m, a>| / ||m||^2), times ||m|| at most 6 u (||m|| + lam ||a||); that of a
    likewise; the sum rounds once.
    """
    return 13.0
