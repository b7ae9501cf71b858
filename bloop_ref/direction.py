"""Bloop's direction (eq. 3 and 5), and how the vectors of a step lie to one another."""

from typing import NamedTuple

from bloop_ref._columns import combination, inner, quiet, square_root
from bloop_ref._scalars import as_scalar
from bloop_ref._typing import Leaves, Scalar, Vector
from bloop_ref._vectors import Columns, align
from bloop_ref.coefficients import bloop_row, cosine, projection_row


@quiet
def bloop_direction(g_main: Vector, g_aux: Vector, ema: Vector, *, lam: Scalar) -> Vector:
    """Return Bloop's direction, d = g_main + lam pi(g_aux; ema).

    pi(u; v) = u - <u, v> / ||v||^2 v with pi(u; 0) = u, the inner product over all leaves
    together. So <d - g_main, ema> = 0; and with ``ema = g_main`` (the full batch, eq. 3)
    <d, g_main> = ||g_main||^2: to first order the main loss falls as under gradient descent.

    Args:
        g_main: the main gradient of this step, a pytree of arrays; ``None`` is zero.
        g_aux: the auxiliary gradient, of the same structure, shapes and library.
        ema: the moving average of the main gradients *before* this step, likewise.
        lam: the weight of the auxiliary loss, a number or zero-dimensional array >= 0.

    Returns:
        The direction, with the dtypes of ``g_main``; non-finite inputs show in it. Its distance
        from the exact d is at most ``k u (||g_main|| + lam ||g_aux||)``, u the unit roundoff of
        the leaves: k = 2 where sums are carried in a wider dtype, k = 5 for float64.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: structures, shapes or devices differ, or lam < 0.

    Example:
        >>> import numpy as np
        >>> g_main, g_aux = np.array([3.0, 4.0]), np.array([-5.0, 0.0])
        >>> bloop_direction(g_main, g_aux, g_main, lam=0.5)
        array([1.4, 5.2])

    Source: eq. 5; with ``ema = g_main`` eq. 3.
    """
    columns = align(g_main=g_main, g_aux=g_aux, ema=ema)
    return columns.unflatten(direction(columns, as_scalar("lam", lam, columns)))


def direction(columns: Columns, lam: Scalar, *, factor: Scalar = 1) -> Leaves:
    """Return eq. 5 times a factor, for the columns (g_main, g_aux, ema)."""
    row = bloop_row(inner(columns, 1, 2), inner(columns, 2, 2), lam=lam)
    unit_main, unit_aux, _ = columns.units
    # pi(g_aux; ema) has the unit of g_aux, whatever that of ema
    return combination(
        columns, [factor * weight for weight in row], units=(unit_main, unit_aux, unit_aux)
    )


class Diagnostics(NamedTuple):
    """How the vectors of a step lie to one another; a cosine with a zero vector is 0.

    ``coefficient`` is <g_aux, e> / ||e||^2, the multiple of the EMA e that is taken out of g_aux.
    """

    norm_main: Scalar
    norm_aux: Scalar
    norm_ema: Scalar
    cos_main_aux: Scalar
    cos_main_ema: Scalar
    cos_aux_ema: Scalar
    coefficient: Scalar


@quiet
def diagnostics(g_main: Vector, g_aux: Vector, ema: Vector) -> Diagnostics:
    """Return the norms and cosines of the vectors of a step, and the projection coefficient.

    Nothing but the six inner products of (g_main, g_aux, ema) is computed, all leaves together.

    Args:
        g_main: the main gradient, a pytree of arrays; ``None`` is zero.
        g_aux: the auxiliary gradient, of the same structure, shapes and library.
        ema: the moving average of main gradients, likewise.

    Returns:
        Zero-dimensional arrays, on the vectors' device.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: structures, shapes or devices differ.

    Example:
        >>> import numpy as np
        >>> d = diagnostics(np.array([3.0, 4.0]), np.array([-5.0, 0.0]), np.array([6.0, 8.0]))
        >>> float(d.norm_ema), float(d.cos_aux_ema), float(d.coefficient)
        (10.0, -0.6, -0.3)
    """
    columns = align(g_main=g_main, g_aux=g_aux, ema=ema)
    return measure(columns)


def measure(columns: Columns) -> Diagnostics:
    """Return the diagnostics of the columns (g_main, g_aux, ema)."""
    mm, ma, aa, me, ae, ee = (inner(columns, i, j) for j in range(3) for i in range(j + 1))
    root = square_root(columns)
    main, aux, ema = root(mm), root(aa), root(ee)
    unit_main, unit_aux, unit_ema = columns.units
    _, on_ema = projection_row(ae, ee)
    return Diagnostics(
        norm_main=main * unit_main,
        norm_aux=aux * unit_aux,
        norm_ema=ema * unit_ema,
        cos_main_aux=cosine(ma, main, aux),
        cos_main_ema=cosine(me, main, ema),
        cos_aux_ema=cosine(ae, aux, ema),
        coefficient=-on_ema * unit_aux / unit_ema,
    )
