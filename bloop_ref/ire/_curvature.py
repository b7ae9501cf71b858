"""The diagonal curvature estimate that says which coordinates are flat."""

from typing import Any

from bloop_ref._arrays import beside, kind
from bloop_ref._columns import quiet
from bloop_ref._scalars import as_scalar
from bloop_ref._typing import Array, Scalar, Vector
from bloop_ref._vectors import align


@quiet
def curvature(gradient: Vector, *, batch_size: Scalar = 1) -> Vector:
    """Return h = B |g|^2, entry by entry: an estimate of the diagonal of the Fisher matrix.

    g must be the gradient of the mean loss over a batch of B inputs whose *labels are drawn from
    the model's own prediction* for each input. Then the terms of the mean are independent and have
    mean zero, so that E[B g_i^2] is the mean of the squares of one input's gradient, which is the
    diagonal of the Fisher matrix, and of the Gauss-Newton matrix for a loss that is a negative log
    likelihood. With the labels of the data, h would be something else: the terms' mean is not zero,
    and B g_i^2 grows with B wherever the loss has a slope.

    Args:
        gradient: a pytree of arrays; ``None`` is zero.
        batch_size: B, a number or zero-dimensional array >= 0. A mask does not depend on it.

    Returns:
        h, real, at least float32; ``None`` where the gradient is. A float32 square is 0 below
        1e-23: where so small entries must be told apart, give ``mask`` the gradient itself, whose
        magnitudes have the same order.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: leaves lie on different devices, or ``batch_size`` < 0.

    Example:
        >>> import numpy as np
        >>> curvature(np.array([3.0, -1.0, 0.5]), batch_size=2)
        array([18. ,  2. ,  0.5])

    Source: Wang et al., eq. 6; the sampled labels from Gauss-Newton-Bartlett estimates.
    """
    columns = align(gradient=gradient)
    size = as_scalar("batch_size", batch_size, columns)
    (leaves,) = columns.leaves
    return columns.unflatten(
        tuple(None if leaf is None else _squares(leaf, size, columns.xp) for leaf in leaves)
    )


def _squares(leaf: Array, batch_size: Scalar, xp: Any) -> Array:
    """Return B |g|^2 for one leaf, at least in float32."""
    if kind(leaf, xp) == "object":
        return xp.asarray(batch_size * leaf * leaf)
    wide = xp.astype(leaf, xp.result_type(leaf.dtype, xp.float32), copy=False)
    real = xp.abs(wide) if kind(leaf, xp) == "complex" else wide
    squares = xp.asarray(real * real)
    factor = beside(batch_size, leaf, xp)
    return xp.astype(squares * factor, squares.dtype, copy=False)
