"""The diagonal curvature estimate that says which coordinates are flat."""

from typing import Any

from bloop_ref.aliases import Array, Scalar, Vector
from bloop_ref.arrays import beside, kind, quiet
from bloop_ref.ire.flatness import at_least_float32
from bloop_ref.scalars import as_scalar
from bloop_ref.vectors import align


@quiet
def curvature(gradient: Vector, *, batch_size: Scalar = 1) -> Vector:
    """Return h = B |g|^2, entry by entry: an estimate of the diagonal of the Fisher matrix.

    g must be the gradient of the mean loss over a batch of B inputs whose *labels are drawn from
    the model's own prediction*. Then the terms of the mean are independent and of mean zero, so
    that E[B g_i^2] is the mean square of one input's gradient: the diagonal of the Fisher matrix,
    and of the Gauss-Newton matrix where the loss is a negative log likelihood. With the labels of
    the data B g_i^2 would grow with B wherever the loss has a slope.

    Args:
        gradient: a pytree of arrays; ``None`` is zero.
        batch_size: B, a number or zero-dimensional array >= 0. A mask does not depend on it.

    Returns:
        h, real, at least float32. A float32 square is 0 below 1e-23: where so small entries must
        be told apart, give ``mask`` the gradient itself, whose magnitudes have the same order.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: leaves lie on different devices, or ``batch_size`` < 0.

    Example:
        >>> import numpy as np
        >>> curvature(np.array([3.0, -1.0, 0.5]), batch_size=2)
        array([18. ,  2. ,  0.5])

    Source: Wang et al., eq. 6; the sampled labels from Gauss-Newton-Bartlett estimates.
    """
    stack = align(gradient=gradient)
    size = as_scalar("batch_size", batch_size, stack)
    (leaves,) = stack.leaves
    squares = (None if x is None else _squares(x, size, stack.xp) for x in leaves)
    return stack.unflatten(tuple(squares))


def _squares(leaf: Array, batch_size: Scalar, xp: Any) -> Array:
    """Return B |g|^2 for one leaf, at least in float32."""
    wide = at_least_float32(leaf, xp)
    real = xp.abs(wide) if kind(leaf, xp) == "complex" else wide
    squares = xp.asarray(xp.asarray(real * real) * beside(batch_size, leaf, xp))
    return xp.astype(squares, real.dtype, copy=False)
