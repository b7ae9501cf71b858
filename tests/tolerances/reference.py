"""Bounds on the reference, whose sums are wide or compensated, and on backends like it."""

import math
from collections.abc import Sequence

from bloop_proofs.tolerances.steps import SLACK


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
