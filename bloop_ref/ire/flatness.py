"""Which coordinates are flat: those of smallest curvature, among all leaves together."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from math import prod
from numbers import Real
from typing import Any, Literal, TypeAlias

import array_api_compat

from bloop_ref.aliases import Array, Leaves, Vector
from bloop_ref.arrays import beside, device, gather, kind, quiet
from bloop_ref.scalars import check_choice
from bloop_ref.vectors import Stack, align

Part: TypeAlias = float | Fraction
Convention: TypeAlias = Literal["paper", "topk_official"]
Ties: TypeAlias = Literal["include", "stable"]


@quiet
def mask(
    score: Vector, fraction: Part, *, convention: Convention = "paper", ties: Ties = "include"
) -> Vector:
    """Return n: true on the part ``fraction`` of all coordinates with the smallest abs(score).

    The leaves are ranked together, by the order of magnitudes alone. Of N coordinates the flattest
    k are marked, none for k = 0 and all for k = N:

    - ``convention="paper"``: k = round(fraction N), halves to even;
    - ``"topk_official"``: k = N - int(N rank) + 1, rank = 1 - fraction being the sharp part: what
      comes out where the int(N rank)-th *largest* score is the threshold and is itself counted
      flat; k = N where int(N rank) = 0.

    Args:
        score: a curvature, a pytree of arrays. ``None`` has no coordinates, and its mask is
            ``None``. NaN ranks as infinity does, but is never flat.
        fraction: the flat part, a number in [0, 1]; no array, since it says how many.
        convention: how k is counted.
        ties: ``"include"`` marks every coordinate equal to the k-th smallest, so more than k may
            be; ``"stable"`` the first of them only, in the order of the tree, and k in all.

    Returns:
        A boolean array for every leaf.

    Raises:
        TypeError: a leaf is no floating array, array libraries are mixed, or ``fraction`` is no
            number.
        ValueError: an option is none of its choices, or ``fraction`` is outside [0, 1].

    Example:
        >>> import numpy as np
        >>> mask({"w": np.array([5.0, 0.1, 0.1]), "b": np.array([2.0])}, 0.5)
        {'w': array([False,  True,  True]), 'b': array([False])}
        >>> mask(np.array([1.0, 2.0, 3.0, 4.0]), 0.5, convention="topk_official")
        array([ True,  True,  True, False])

    Source: Wang et al., eq. 5; the second convention from the authors' code.
    """
    check_mask_options(fraction, convention, ties)
    stack = align(score=score)
    return stack.unflatten(flattest(stack, fraction, convention, ties))


def check_mask_options(fraction: Part, convention: str, ties: str) -> None:
    """Raise unless the options of ``mask`` are among its choices."""
    if isinstance(fraction, bool) or not isinstance(fraction, Real):
        raise TypeError(f"fraction must be a number in [0, 1]; found {fraction!r}")
    if not 0 <= fraction <= 1:
        raise ValueError(f"fraction must be a number in [0, 1]; found {fraction!r}")
    check_choice("convention", convention, ("paper", "topk_official"))
    check_choice("ties", ties, ("include", "stable"))


def flattest(stack: Stack, fraction: Part, convention: str, ties: str) -> Leaves:
    """Return the mask of the first column."""
    leaves, xp = stack.leaves[0], stack.xp
    sizes = [0 if leaf is None else prod(leaf.shape) for leaf in leaves]
    count = flat_count(sum(sizes), fraction, convention)
    marks: Array | None = None
    if count:
        present = (xp.reshape(x, (-1,)) for x, size in zip(leaves, sizes, strict=True) if size)
        rows = [at_least_float32(xp.abs(row), xp) for row in present]
        marks = _smallest(rows, count, ties, xp)
    starts = [0, *accumulate(sizes)]
    return tuple(
        None if leaf is None else _part(marks, start, leaf, xp)
        for leaf, start in zip(leaves, starts, strict=False)
    )


def flat_count(total: int, fraction: Part, convention: str) -> int:
    """Return how many of some coordinates are flat.

    ``rank`` is taken of the decimal number that was written: 1 - 0.9 as a float is less than 0.1.
    """
    if convention == "paper":
        return round(fraction * total)
    rank = float(1 - Fraction(str(fraction)))
    return min(total, total - int(total * rank) + 1)


def at_least_float32(leaf: Array, xp: Any) -> Array:
    """Return a leaf in float32 or wider; objects as they are."""
    if kind(leaf, xp) == "object":
        return leaf
    return xp.astype(leaf, xp.result_type(leaf.dtype, xp.float32), copy=False)


def _smallest(rows: Sequence[Array], count: int, ties: str, xp: Any) -> Array:
    """Return for all rows, one after the other, whether an entry is among the smallest."""
    row = xp.concat(gather(rows, xp))
    good = row == row  # not NaN
    largest = xp.asarray(float("inf"), dtype=row.dtype, device=device(row, xp))
    row = xp.where(good, row, largest)
    threshold = _kth_smallest(row, count, xp)
    marks = row <= threshold
    if ties == "stable":
        below, tied = row < threshold, row == threshold
        places = xp.cumulative_sum(xp.astype(tied, xp.int32))
        room = count - xp.sum(xp.astype(below, xp.int32))
        marks = below | (tied & (places <= room))
    return marks & good


def _kth_smallest(row: Array, count: int, xp: Any) -> Array:
    """Return an order statistic, without sorting everything where the library can do that."""
    if array_api_compat.is_numpy_namespace(xp):
        return xp.partition(row, count - 1)[count - 1]
    if array_api_compat.is_torch_namespace(xp):
        return xp.kthvalue(row, count).values
    return xp.sort(row)[count - 1]


def _part(marks: Array | None, start: int, leaf: Array, xp: Any) -> Array:
    """Return the marks of one leaf, in its shape and on its device; none where there are none."""
    size = prod(leaf.shape)
    if marks is None or not size:
        return xp.zeros_like(leaf, dtype=xp.bool)
    return beside(xp.reshape(marks[start : start + size], leaf.shape), leaf, xp)
