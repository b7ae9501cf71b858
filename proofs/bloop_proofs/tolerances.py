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


def hierarchy_gram_bound(u: float, n: int, sizes: Sequence[float], condition: float) -> float:
    """Return the bound on a hierarchical direction that is made from a Gram matrix.

    Every inner product errs by (n + 1) u relative to the norms. The weights of the references solve
    a linear system with their Gram matrix, references over their norms, so they err by that times
    its ``condition``, once for the matrix and once for the right-hand side; the combination of
    L + 1 gradients and L references rounds 2 (2 L + 1) times. ``sizes`` are the norms of the
    gradients, each weight lam_k being 1 at most.
    """
    columns = 2 * len(sizes) - 1
    return SLACK * u * (2 * columns + 2 * (n + 1) * condition) * sum(sizes)


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


def diagnostics_bound(u: float, n: int, size: float) -> float:
    """Return the bound on a norm, a cosine or a projection coefficient of vectors of n entries.

    Inner products that sum n products in any order err by n u relative to the norms; then come two
    roots, a product and a quotient. ``size`` is the largest of what is measured and, for a cosine,
    1: the coefficient's own scale, where it is near 0, is that of ||g_aux|| / ||e||.
    """
    return (n + 4) * u * size


def blocked_bound(u: float, chain: int, total: float) -> float:
    """Return the bound on a sum of squares in blocks, each summed in roundoff u, added in float64.

    No block is summed in chains of more than ``chain`` additions, for the lanes of a vector unit
    are summed apart; so every block errs by ``chain`` u of itself at most, and so does their sum.
    """
    return chain * u * total


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
    """Return k such that methods with one quotient each err by at most k u (||m|| + lam ||a||).

    Mixed, A-GEM, cosine gating, PCGrad, dynamic barrier and MetaBalance, of two gradients.

    As for Bloop, a quotient of inner products errs by 3 u and lam times it by 4 u; its subtraction
    from 1 rounds once more, and so does lam. So the coefficient of m errs by
    6 u (1 + lam |<m, a>| / ||m||^2), times ||m|| at most 6 u (||m|| + lam ||a||); that of a
    likewise; the sum rounds once. A cosine errs by 5 u: its inner product by one, the root of the
    product of the squares by half of 3 and its own, the quotient by one. MetaBalance's ratio of
    norms errs by 5 u, and is weighted, added to a weight that rounds twice, and combined: 11 u.
    """
    return 13.0


def segment_bound(u: float, main: float, aux: float, apart: float) -> float:
    """Return the bound on the error of MGDA's direction for two gradients, in norm.

    ``apart`` is ||m - a||. Either product with m - a errs by 3 u s^2, s = ||m|| + ||a||, its own
    two roundings and a difference; the square of m - a likewise, 6 u s^2, so a weight by
    12 u s^2 / ||m - a||^2 at most. Weights that err by opposite amounts move d along m - a; twice
    as much allows for their sum, which also rounds, and u s is the rounding of d.
    """
    size = main + aux
    return 24 * u * size * (size / apart) + 4 * u * size


def lift_bound(u: float, main: float, cotangent: float, sine: float) -> float:
    """Return the bound on the error of GradVac's altered gradient, relative to inner products.

    With ||m|| = ``main`` and the sine of the angle, sin^2 = 1 - <m, a>^2 / (||m|| ||a||)^2 errs by
    7 u, its root by 4 u / sin + u, and times the cotangent by 3 u more; the quotient rounds twice,
    <m, a> once, and the combination once.
    """
    return u * main * (cotangent * (4 / sine + 4) + 8 * (1 + cotangent))


def search_bound(losses: int, size: float, *, curvature: float = 1.0) -> float:
    """Return the bound on how far a minimum over the simplex is from satisfying its conditions.

    For an objective of size s^2, s = ``size`` the largest norm, evaluated in float64 with
    2 K roundings a line in K lines. A search ends at the latest when no step lowers the objective
    by more than it errs, 4 K u s^2 (8 K u s^2 for a difference). Moving weight to the best gradient
    from a point whose conditions are violated by v lowers it by v^2 / (2 L (2)), L = ``curvature``
    times s^2 and 2 the square of the simplex's diameter: so v^2 <= 32 K u L s^2, twice that for
    what SciPy's own stopping adds.
    """
    return size * size * math.sqrt(64 * losses * 2.0**-53 * curvature)


def product_error(u: float, n: int) -> float:
    """Return the bound on |computed <x, y> - exact <x, y>| / (||x|| ||y||), n products.

    Summing errs by (n + 1) u relative to the norms in any order. Unit vectors, cosines, or a vector
    that has itself been combined of the gradients round each factor once more, at most as often
    again, which is what ``SLACK`` allows for.
    """
    return SLACK * u * (n + 4)


def row_rounding(u: float, losses: int, size: float) -> float:
    """Return the bound on the rounding of d = sum_k c_k g_k, its inner products taken as exact.

    Each of K coefficients and products rounds, and so do the K sums: (K + 2) u ``size`` in all, for
    ``size`` the sum of the ||g_k|| and |c_k| ||g_k||; ``SLACK`` is for gradients altered one after
    the other, each rounded as often.
    """
    return SLACK * u * (losses + 2) * size


ITERATIONS = 100
"""After how many steps of Frank and Wolfe a point of least norm may be given out as found."""


def frank_wolfe_bound(diameter: float) -> float:
    """Return how far an approximate point of least norm of a hull may lie from the exact one.

    After t steps (``ITERATIONS``) of Frank and Wolfe with exact line search ||d||^2 exceeds its
    least value by 4 D^2 / (t + 2) at most, D the diameter of the hull; and ||d - d*||^2 is at most
    that excess, d* being the projection of 0 on a convex set that d lies in.
    """
    return math.sqrt(4 * diameter**2 / (ITERATIONS + 2))


GRANTED = 2.0**-9
"""The part of the largest possible difference that an iterative solver of CAGrad may leave."""


def conflict_averse_excess(radius: float, largest: float) -> float:
    """Return by how much CAGrad's worst-off loss may fall short of the best.

    min_k <g_k, d> varies by 2 ``radius`` ``largest`` at most over the ball of d, ``largest`` the
    largest norm of a gradient. Implementations minimise the dual by iteration, each to an accuracy
    of its own: a part ``GRANTED`` is theirs.
    """
    return 2 * GRANTED * radius * largest


def conflict_averse_bound(radius: float, largest: float, pull: float) -> float:
    """Return how far CAGrad's direction may lie from the exact one.

    Both lie on the sphere of ``radius`` around the mean gradient. At an angle t from g_w, of norm
    ``pull``, the dual bound on the worst-off loss falls by ``radius`` ``pull`` (1 - cos t), which
    is ||d - d*||^2 ``pull`` / (2 ``radius``), and may fall by ``conflict_averse_excess``. No two
    points of the sphere are farther apart than 2 ``radius``; where g_w = 0 any d of the ball is
    right, and the mean, its centre, is what it is compared with.
    """
    excess = conflict_averse_excess(radius, largest)
    return min(math.sqrt(2 * radius * excess / pull), 2 * radius) if pull else radius


def modulation_error(u: float, n: int, unlike: float, square: float) -> float:
    """Return the bound on the relative error of SAM-GS's 1 / sqrt(h^).

    Every similarity errs by delta = ``product_error``: 2 x y / (x^2 + y^2) moves by no more than x
    or y in proportion. So (1 - Psi)^2 errs by 2 (1 - Psi) delta + delta^2, and as h averages such
    squares, so does h with ``unlike``, the average of 1 - Psi with the same weights; ``square`` is
    h^. A root halves a relative error; rounding adds one delta.
    """
    delta = product_error(u, n)
    return delta + (2 * unlike * delta + delta**2) / (2 * square)


SOLVER = 2.0**-43
"""Relative and absolute tolerance asked of SciPy's solvers: about the least its ODE solvers take,
100 times the spacing of float64 at 1."""


def amplified_bound(u: float, result: float, further: float) -> float:
    """Return the bound on one entry of b + kappa (b - a), computed with roundoff u in that order.

    The difference, kappa, and the product round once each, relative to ``further``, the absolute
    value of kappa (b - a); the sum rounds once. The second order is less than one more u.
    """
    return u * (result + 4 * further)


def flow_bound(u: float, end: float, steps: int) -> float:
    """Return the relative bound on the end of the flow of ``flat_minima`` from u to ``end``.

    An integrator of tolerance ``SOLVER`` estimates that a step errs by no more in ln u and ln v,
    times one and their sizes, 1 + ln(u / end) as long as v is large enough to matter; the
    estimates, good to ``SLACK``, add up. An error
    eps of ln v is passed on to ln u as 2 (1 + kappa) eps int v^2 dt = 2 eps ln(u / end), and one of
    ln u returns to ln v with the weight 2 int u^2 dt, over the time 1 / 2 in which v^2 matters, at
    most u^2.
    """
    logs = math.log(u / end)
    return SLACK * steps * SOLVER * (1 + logs) * (1 + 2 * logs) * (1 + u * u)
