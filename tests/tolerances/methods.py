"""Bounds on the reference's methods beside Bloop."""

import math


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
