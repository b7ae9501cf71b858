"""The methods as matrices: from inner products to coefficients, one row per output.

Pure functions of scalars. They run on floats, on traced or zero-dimensional arrays, on fractions
and on symbols, so they are the one place where a formula of the method stands.
"""

from bloop_ref._scalars import ratio
from bloop_ref._typing import Scalar


def projection_row(uv: Scalar, vv: Scalar) -> tuple[Scalar, Scalar]:
    """Return the coefficients of pi(u; v) = u - <u, v> / ||v||^2 v over (u, v).

    pi(u; 0) = u (section 3.1, footnote 1).

    Example:
        >>> projection_row(-15.0, 25.0)
        (1, 0.6)
    """
    return (1, -ratio(uv, vv))


def bloop_row(ae: Scalar, ee: Scalar, *, lam: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Return the coefficients of d = g_main + lam pi(g_aux; e) over (g_main, g_aux, e): eq. 5.

    ``ae`` is <g_aux, e> and ``ee`` is ||e||^2.

    Example:
        >>> bloop_row(-15.0, 25.0, lam=0.5)
        (1, 0.5, 0.3)
    """
    on_aux, on_ema = projection_row(ae, ee)
    return (1, lam * on_aux, lam * on_ema)


def ema_row(*, rho: Scalar) -> tuple[Scalar, Scalar]:
    """Return the coefficients of the new EMA, rho g_main + (1 - rho) e, over (g_main, e).

    Algorithm 1, last line; rho is the weight of the new gradient.

    Example:
        >>> ema_row(rho=0.25)
        (0.25, 0.75)
    """
    return (rho, 1 - rho)


def step_matrix(
    ae: Scalar, ee: Scalar, *, lam: Scalar, rho: Scalar
) -> tuple[tuple[Scalar, ...], tuple[Scalar, ...]]:
    """Return a whole step of Algorithm 1: rows (direction, new EMA), columns (g_main, g_aux, e).

    Example:
        >>> step_matrix(-15.0, 25.0, lam=0.5, rho=0.25)
        ((1, 0.5, 0.3), (0.25, 0, 0.75))
    """
    on_main, on_ema = ema_row(rho=rho)
    return bloop_row(ae, ee, lam=lam), (on_main, 0, on_ema)


def rescaling(*, lam: Scalar) -> Scalar:
    """Return 1 / (1 + lam), what the whole direction is multiplied by where lam is large.

    Example:
        >>> rescaling(lam=3.0)
        0.25
    """
    return 1 / (1 + lam)


def cosine(xy: Scalar, norm_x: Scalar, norm_y: Scalar) -> Scalar:
    """Return <x, y> / (||x|| ||y||), and 0 where a vector is 0.

    Example:
        >>> cosine(-15.0, 5.0, 5.0)
        -0.6
    """
    return ratio(xy, norm_x * norm_y)
