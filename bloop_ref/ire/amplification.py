"""The amplified update, around a step that any optimiser has taken."""

from collections.abc import Iterator
from typing import Any

import array_api_compat
import optree

from bloop_ref.aliases import Array, Leaves, Scalar, Vector
from bloop_ref.arrays import beside, kind, quiet
from bloop_ref.ire.flatness import at_least_float32
from bloop_ref.scalars import as_scalar
from bloop_ref.vectors import Stack, align


@quiet
def amplify(before: Vector, after: Vector, mask: Vector, *, kappa: Scalar) -> Vector:
    """Return after + kappa n (after - before): a step, 1 + kappa times as long where n is true.

    The whole displacement is amplified, momentum, preconditioning and decoupled weight decay with
    it. With kappa = 0, and where n is false or the base did not move, the result is ``after`` bit
    for bit.

    Args:
        before: the parameters before the step of the base optimiser, a pytree of arrays. ``None``
            is zero: then ``after`` is itself the displacement.
        after: the parameters after it, of the same structure, shapes and library.
        mask: n, boolean arrays of the same structure and shapes; ``None`` is false.
        kappa: the enhancement, a number or zero-dimensional array >= 0.

    Returns:
        The parameters, with the dtypes of ``after``, computed in float32 at least.

    Raises:
        TypeError: a leaf is no floating array, a leaf of ``mask`` no boolean one, or array
            libraries are mixed.
        ValueError: structures, shapes or devices differ, or kappa < 0.

    Example:
        >>> import numpy as np
        >>> before, after = np.array([1.0, 1.0]), np.array([0.75, 0.75])
        >>> amplify(before, after, np.array([True, False]), kappa=2.0)
        array([0.25, 0.75])

    Source: Wang et al., algorithm 1.
    """
    stack = align(after=after, before=before)
    marks = mask_leaves("mask", mask, stack)
    kappa = as_scalar("kappa", kappa, stack)
    return stack.unflatten(tuple(amplified(stack, marks, kappa)))


def mask_leaves(name: str, mask: Vector, stack: Stack) -> Leaves:
    """Return the leaves of a mask, checked against the vectors that it goes with."""
    leaves, treespec = optree.tree_flatten(mask, none_is_leaf=True)
    if treespec != stack.treespec:
        raise ValueError(
            f"{name} must have the tree structure of the vectors: "
            f"required {stack.treespec}, found {treespec}"
        )
    paths = (accessor.codify(name) for accessor in optree.treespec_accessors(treespec))
    for path, leaf, *row in zip(paths, leaves, *stack.leaves, strict=True):
        like = next((x for x in row if x is not None), None)
        if leaf is not None and like is not None:
            _check_mask(path, leaf, like, stack.xp)
    return tuple(leaves)


def _check_mask(path: str, leaf: Any, like: Array, xp: Any) -> None:
    """Check one leaf of a mask against a leaf of the vectors."""
    if not array_api_compat.is_array_api_obj(leaf):
        raise TypeError(f"{path} must be a boolean array or None; found {type(leaf).__name__}")
    found = array_api_compat.array_namespace(leaf)
    if found is not xp:
        raise TypeError(
            f"{path} must be an array of the vectors' library: "
            f"required {xp.__name__}, found {found.__name__}"
        )
    if leaf.dtype != xp.bool:
        raise TypeError(f"{path} must be a boolean array; found {leaf.dtype}")
    if tuple(leaf.shape) != tuple(like.shape):
        raise ValueError(
            f"{path} must have the shape of the vectors' leaf: "
            f"required {tuple(like.shape)}, found {tuple(leaf.shape)}"
        )


def amplified(stack: Stack, marks: Leaves, kappa: Scalar, active: Scalar = True) -> Iterator[Any]:
    """Yield the amplified leaves of the stack (after, before), one at a time.

    ``active`` says whether to amplify at all: true, or a zero-dimensional boolean array.
    """
    xp = stack.xp
    for after, before, mark in zip(*stack.leaves, marks, strict=True):
        if after is None and before is None:
            yield None
        else:
            moved_to = xp.zeros_like(before) if after is None else after
            yield _amplified(moved_to, before, mark, kappa, active, xp)


def _amplified(
    after: Array, before: Array | None, mark: Array | None, kappa: Scalar, active: Scalar, xp: Any
) -> Array:
    """Return one amplified leaf, a new array.

    b - kappa (a - b), read in this order, gives b where a = b, minus zero included.
    """
    if mark is None:
        return xp.astype(after, after.dtype, copy=True)
    b = at_least_float32(after, xp)
    kappa, active = (_beside(x, b, xp) for x in (kappa, active))
    further = b - kappa * (-b if before is None else at_least_float32(before, xp) - b)
    switch = (kappa != 0) & active
    on = mark if switch is True else mark & switch
    return xp.astype(xp.asarray(xp.where(on, further, b)), after.dtype, copy=False)


def _beside(scalar: Scalar, leaf: Array, xp: Any) -> Scalar:
    """Return a scalar on the device of a leaf and, unless it is a flag, in its precision."""
    if not array_api_compat.is_array_api_obj(scalar) or kind(leaf, xp) == "object":
        return scalar
    if scalar.dtype != xp.bool:
        real = xp.real(leaf) if kind(leaf, xp) == "complex" else leaf
        scalar = xp.astype(xp.asarray(scalar), real.dtype, copy=False)
    return beside(scalar, leaf, xp)
