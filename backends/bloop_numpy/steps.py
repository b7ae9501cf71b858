"""One step of Algorithm 1 on NumPy arrays, pure or in place."""

import numpy as np

from bloop_numpy.leaves import Layout, check_in_place, filled, fresh, lay_out, restore
from bloop_numpy.linear import combine, exponent_of, inner_products, working_dtype
from bloop_ref._columns import quiet
from bloop_ref._scalars import as_scalar
from bloop_ref._typing import Scalar, Vector
from bloop_ref._vectors import align
from bloop_ref.coefficients import step_matrix

PAIRS = ((0, 1), (1, 1))
"""<g_aux, e> and ||e||^2, of the vectors (g_aux, e)."""


@quiet
def step(
    g_main: Vector,
    g_aux: Vector,
    ema: Vector,
    *,
    lam: Scalar,
    rho: Scalar,
    inplace: bool = False,
) -> tuple[Vector, Vector]:
    """Return Bloop's direction and the next moving average of main gradients.

    d = g_main + lam pi(g_aux; e) and e <- (1 - rho) e + rho g_main, all leaves together. Arithmetic
    is that of each leaf, at least float32, in blocks that stay in cache; sums are carried on in
    float64.

    Args:
        g_main: the main gradient, a pytree of NumPy arrays; ``None`` is zero.
        g_aux: the auxiliary gradient, of the same structure and shapes.
        ema: the moving average of main gradients before this step, likewise.
        lam: the weight of the auxiliary loss, >= 0.
        rho: the weight of the new gradient in the average, in [0, 1].
        inplace: write the direction over ``g_aux`` and the new average over ``ema``, and allocate
            nothing that grows with them; leaves that are ``None``, or not contiguous, excepted.

    Returns:
        The direction, with the dtypes of ``g_main``, and the new average, with those of ``ema``.

    Raises:
        TypeError: a leaf is no floating NumPy array; in place, the dtypes of ``g_aux`` are not
            those of ``g_main``.
        ValueError: structures or shapes differ, or lam or rho is out of range; in place, an array
            is read-only or shares memory with another.

    Example:
        >>> g_main, g_aux, ema = [np.array([3.0, 4.0])], [np.array([-5.0, 0.0])], [np.ones(2)]
        >>> direction, ema = step(g_main, g_aux, ema, lam=0.5, rho=0.25, inplace=True)
        >>> direction[0], ema[0]
        (array([1.75, 5.25]), array([1.5 , 1.75]))
        >>> direction[0] is g_aux[0]
        True

    Source: Algorithm 1 and eq. 5.
    """
    columns = align(g_main=g_main, g_aux=g_aux, ema=ema)
    weights = {
        "lam": float(as_scalar("lam", lam, columns)),
        "rho": float(as_scalar("rho", rho, columns, most=1)),
    }
    vectors = filled(columns)
    if inplace:
        check_in_place(vectors)
    outputs = vectors[1:] if inplace else fresh(vectors)
    layout = lay_out(vectors, outputs)
    _run(layout, **weights)
    layout.write_back()
    direction = restore(columns, outputs[0], present_in=(0, 1, 2))
    return direction, restore(columns, outputs[1], present_in=(0, 2))


def _run(layout: Layout, *, lam: float, rho: float) -> None:
    """Compute the outputs of a layout."""
    _, g_aux, ema = layout.vectors
    products, shift = inner_products((g_aux, ema), PAIRS), 0
    if not all(_is_safe(x, layout) for x in products):
        exponents = exponent_of(g_aux), exponent_of(ema)
        products = inner_products((g_aux, ema), PAIRS, exponents=exponents)
        # pi(g_aux; e) has the unit of g_aux, whatever that of e
        shift = exponents[0] - exponents[1]
    rows = step_matrix(*products, lam=lam, rho=rho)
    shifts = ((0, 0, shift), (0, 0, 0))
    combine(rows, layout.vectors, out=layout.outputs, homes=(1, 2), shifts=shifts)


def _is_safe(product: float, layout: Layout) -> bool:
    """Whether nothing that counts can have overflowed or underflowed in the dtypes of the leaves.

    Half of the range of exponents is left for the entries of a sum that are smaller than it.
    """
    least = max(
        (
            float(np.finfo(working_dtype(leaves)).smallest_normal)
            for leaves in zip(*layout.vectors, strict=True)
        ),
        default=1.0,
    )
    return bool(least**0.5 < abs(product) < least**-0.75)
