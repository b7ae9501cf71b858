"""The amplified update, around a step that any optimiser has taken."""

from collections.abc import Iterator
from typing import Any

import array_api_compat
import optree

from bloop_ref._arrays import beside, kind
from bloop_ref._columns import quiet
from bloop_ref._scalars import as_scalar
from bloop_ref._typing import Array, Leaves, Scalar, Vector
from bloop_ref._vectors import Columns, align


@quiet
def amplify(before: Vector, after: Vector, mask: Vector, *, kappa: Scalar) -> Vector:
    """Return after + kappa n (after - before): a step, 1 + kappa times as long where n is true.

    The whole displacement of the base step is amplified: momentum, preconditioning and decoupled
    weight decay with it. With kappa = 0, and wherever n is false or the base did not move, the
    result is ``after`` bit for bit.

    Args:
        before: the parameters before the step of the base optimiser, a pytree of arrays.
        after: the parameters after it, of the same structure, shapes and library. With ``None``
            leaves as ``before``, which are zero, ``after`` is itself the displacement.
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
    columns = align(after=after, before=before)
    marks = mask_leaves("mask", mask, columns)
    kappa = as_scalar("kappa", kappa, columns)
    return columns.unflatten(tuple(amplified(columns, marks, kappa)))


def mask_leaves(name: str, mask: Vector, columns: Columns) -> Leaves:
    """Return the leaves of a mask, checked against the vectors that it goes with."""
    leaves, treespec = optree.tree_flatten(mask, none_is_leaf=True)
    if treespec != columns.treespec:
        raise ValueError(
            f"{name} must have the tree structure of the vectors: "
            f"required {columns.treespec}, found {treespec}"
        )
    for accessor, leaf, row in zip(
        optree.treespec_accessors(treespec), leaves, zip(*columns.leaves, strict=True), strict=True
    ):
        like = next((x for x in row if x is not None), None)
        if leaf is not None and like is not None:
            _check_mask(accessor.codify(name), leaf, like, columns.xp)
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


def amplified(
    columns: Columns, marks: Leaves, kappa: Scalar, active: Scalar = True
) -> Iterator[Any]:
    """Yield the amplified leaves of the columns (after, before), one at a time.

    Args:
        columns: the parameters after the base step, and before it.
        marks: the leaves of the mask.
        kappa: the enhancement, in the vectors' arithmetic.
        active: whether to amplify at all: true, or a zero-dimensional boolean array.
    """
    xp = columns.xp
    for after, before, mark in zip(*columns.leaves, marks, strict=True):
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
    b = _wide(after, xp)
    kappa, active = (_beside(x, b, xp) for x in (kappa, active))
    further = b - kappa * (-b if before is None else _wide(before, xp) - b)
    switch = (kappa != 0) & active
    on = mark if switch is True else mark & switch
    return xp.astype(xp.asarray(xp.where(on, further, b)), after.dtype, copy=False)


def _wide(leaf: Array, xp: Any) -> Array:
    """Return a leaf in float32 at least; objects as they are."""
    if kind(leaf, xp) == "object":
        return leaf
    return xp.astype(leaf, xp.result_type(leaf.dtype, xp.float32), copy=False)


def _beside(scalar: Scalar, leaf: Array, xp: Any) -> Scalar:
    """Return a scalar on the device of a leaf and, unless it is a flag, in its precision."""
    if not array_api_compat.is_array_api_obj(scalar) or kind(leaf, xp) == "object":
        return scalar
    if scalar.dtype != xp.bool:
        real = xp.real(leaf) if kind(leaf, xp) == "complex" else leaf
        scalar = xp.astype(xp.asarray(scalar), real.dtype, copy=False)
    return beside(scalar, leaf, xp)
