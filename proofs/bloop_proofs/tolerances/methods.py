"""Bounds on the methods beside Bloop."""

import math

from bloop_proofs.tolerances.steps import SLACK


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


def conflict_averse_length(radius: float, largest: float, pull: float) -> float:
    """Return how far CAGrad's ||d - g_0|| may lie from c ||g_0||, its ``radius``.

    The best that the worst-off loss can get is concave in the radius, its slope being ||g_w||, the
    ``pull``: a direction that is shorter by x falls short by x ``pull`` at least. What may be lost
    is ``conflict_averse_excess``, and so x that over ``pull``; as much is granted beyond the
    sphere. Where g_w may be 0 the mean itself may be given out, at a distance of ``radius``.
    """
    return min(conflict_averse_excess(radius, largest) / pull, radius) if pull else radius


def modulation_error(u: float, n: int, unlike: float, square: float) -> float:
    """Return the bound on the relative error of SAM-GS's 1 / sqrt(h^).

    Every similarity errs by delta = ``product_error``: 2 x y / (x^2 + y^2) moves by no more than x
    or y in proportion. So (1 - Psi)^2 errs by 2 (1 - Psi) delta + delta^2, and as h averages such
    squares, so does h with ``unlike``, the average of 1 - Psi with the same weights; ``square`` is
    h^. A root halves a relative error; rounding adds one delta.
    """
    delta = product_error(u, n)
    return delta + (2 * unlike * delta + delta**2) / (2 * square)
