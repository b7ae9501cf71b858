"""The methods that the paper compares Bloop with, on the same inner products and combination.

Notation: m the main and a the auxiliary gradient. Each method is one row of coefficients over
(m, a), made of parts that are proportional to one of the two vectors and blind to the scale of the
other; so each part carries the unit of its own vector, and no scale overflows.
"""

import array_api_compat

from bloop_ref._columns import combination, inner, quiet
from bloop_ref._scalars import as_scalar, ratio
from bloop_ref._typing import Scalar, Vector
from bloop_ref._vectors import align

__all__ = ["dynamic_barrier", "mixed", "pcgrad"]


@quiet
def mixed(g_main: Vector, g_aux: Vector, *, lam: Scalar) -> Vector:
    """Return d = m + lam a, the gradient of L_main + lam L_aux.

    Args:
        g_main: the main gradient, a pytree of arrays; ``None`` is zero.
        g_aux: the auxiliary gradient, of the same structure, shapes and library.
        lam: the weight of the auxiliary loss, a number or zero-dimensional array >= 0.

    Returns:
        The direction, with the dtypes of ``g_main``.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: structures, shapes or devices differ, or lam < 0.

    Example:
        >>> import numpy as np
        >>> mixed(np.array([3.0, 4.0]), np.array([-5.0, 0.0]), lam=0.5)
        array([0.5, 4. ])

    Source: eq. 1; Table 1.
    """
    columns = align(g_main=g_main, g_aux=g_aux)
    return columns.unflatten(combination(columns, (1, as_scalar("lam", lam, columns))))


@quiet
def pcgrad(g_main: Vector, g_aux: Vector, *, lam: Scalar) -> Vector:
    """Return d = m + lam a, or pi(m; a) + lam pi(a; m) where <m, a> < 0.

    Where the gradients conflict each loses its part along the other. Both cases agree at
    <m, a> = 0; for lam > 0 this is PCGrad of the two gradients m and lam a.

    Args, returns and raises as in ``mixed``.

    Example:
        >>> import numpy as np
        >>> pcgrad(np.array([3.0, 4.0]), np.array([-5.0, 0.0]), lam=0.5)
        array([-1.6,  5.2])

    Source: Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020, in the weighted
    form of section 5.1 of the Bloop paper.
    """
    columns = align(g_main=g_main, g_aux=g_aux)
    lam = as_scalar("lam", lam, columns)
    mm, ma, aa = inner(columns, 0, 0), inner(columns, 0, 1), inner(columns, 1, 1)
    unit_main, unit_aux = columns.units
    conflict = -_positive_part(-ma)
    row = (
        unit_main - lam * ratio(conflict, mm) * unit_aux,
        lam * unit_aux - ratio(conflict, aa) * unit_main,
    )
    return columns.unflatten(combination(columns, row, units=(1, 1)))


@quiet
def dynamic_barrier(g_main: Vector, g_aux: Vector, *, lam: Scalar) -> Vector:
    """Return d = lam a + max(1 - lam <m, a> / ||m||^2, 0) m, and lam a where m = 0.

    The direction nearest to lam a under <m, d> >= ||m||^2: the main loss falls at least as fast as
    under its own gradient. Where lam <m, a> <= ||m||^2 this is full-batch Bloop (eq. 3).

    Args, returns and raises as in ``mixed``.

    Example:
        >>> import numpy as np
        >>> dynamic_barrier(np.array([3.0, 4.0]), np.array([-5.0, 0.0]), lam=0.5)
        array([1.4, 5.2])

    Source: Gong, Liu and Liu, "Automatic and Harmless Regularization with Constrained and
    Lexicographic Optimization", NeurIPS 2021, in the weighted form of section 5.1 of the Bloop
    paper, its barrier being ||m||^2.
    """
    columns = align(g_main=g_main, g_aux=g_aux)
    lam = as_scalar("lam", lam, columns)
    mm, ma = inner(columns, 0, 0), inner(columns, 0, 1)
    unit_main, unit_aux = columns.units
    row = (_positive_part(unit_main - lam * ratio(ma, mm) * unit_aux), lam * unit_aux)
    return columns.unflatten(combination(columns, row, units=(1, 1)))


def _positive_part(x: Scalar) -> Scalar:
    """Return max(x, 0), NaN where x is."""
    if not array_api_compat.is_array_api_obj(x):
        return x if x > 0 else 0 * x
    xp = array_api_compat.array_namespace(x)
    return xp.maximum(x, xp.zeros_like(x))
