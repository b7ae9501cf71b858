"""Inner products and combination of vectors that have been aligned, in the vectors' own units."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial, reduce
from operator import add, mul
from typing import Any

import numpy as np

from bloop_ref import _accumulate as twice
from bloop_ref._arrays import beside, complex_of, gather, join, kind, parts, spacing
from bloop_ref._typing import Array, Leaves, Scalar
from bloop_ref._vectors import Columns

quiet = np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore")
"""Non-finite values show in the result, as in every array library, and not as NumPy's warnings."""


def inner(columns: Columns, i: int, j: int) -> Scalar:
    """Return the inner product of two columns, each over its unit."""
    xp = columns.xp
    operands = _operands(columns, i, j)
    if not columns.paired:
        sums = [xp.sum(x * y) for x, y in operands]
        return reduce(add, gather(sums, xp)) if sums else columns.scalar(0)
    dots = [twice.dot(x, y, xp) for x, y in operands]
    if not dots:
        return columns.scalar(0)
    totals, errors = (gather(scalars, xp) for scalars in zip(*dots, strict=True))
    return twice.settle(reduce(twice.plus, zip(totals, errors, strict=True)), xp)


def _operands(columns: Columns, i: int, j: int) -> Iterator[tuple[Array, Array]]:
    """Yield the real parts that two columns have in common, each over the unit of its column."""
    for x, y in zip(columns.leaves[i], columns.leaves[j], strict=True):
        if x is not None and y is not None and 0 not in x.shape:
            left = _over_unit(columns, x, i)
            yield from zip(left, left if i == j else _over_unit(columns, y, j), strict=True)


def combination(
    columns: Columns,
    row: Sequence[Scalar],
    *,
    units: Sequence[Scalar] | None = None,
    dtypes: Sequence[Any] | None = None,
) -> Leaves:
    """Return the leaves of a linear combination of the columns.

    A coefficient that is the integer 0, which a method's own matrix has and no computed zero is,
    leaves its column unread.

    Args:
        columns: the vectors.
        row: their coefficients.
        units: what each coefficient is still to be multiplied by. Applied to v / unit it takes the
            unit of v, by default; one that came out of inner products may carry another.
        dtypes: of every leaf; by default that of the first vector that has it.
    """
    units = columns.units if units is None else units
    weights = {
        j: weight * unit
        for j, (weight, unit) in enumerate(zip(row, units, strict=True))
        if type(weight) is not int or weight != 0
    }
    scale: Scalar = 1
    if columns.paired and weights:
        weights = {j: columns.scalar(weight) for j, weight in weights.items()}
        largest = reduce(columns.xp.maximum, map(columns.xp.abs, weights.values()))
        scale = twice.power_of_two(largest, columns.wide, columns.xp)
        weights = {j: weight / scale for j, weight in weights.items()}
    return tuple(
        _combined_leaf(columns, weights, scale, position, dtype)
        for position, dtype in enumerate(leaf_dtypes(columns) if dtypes is None else dtypes)
    )


def _combined_leaf(
    columns: Columns, weights: dict[int, Scalar], scale: Scalar, position: int, dtype: Any
) -> Array | None:
    """Return one leaf of a combination, whose coefficients have been divided by a scale."""
    xp = columns.xp
    leaves = [column[position] for column in columns.leaves]
    like = next((leaf for leaf in leaves if leaf is not None), None)
    present = [j for j in weights if leaves[j] is not None]
    if not present:
        return None if like is None else xp.zeros_like(like, dtype=dtype)
    multiply, plus = (
        (partial(twice.two_product, xp=xp), twice.plus) if columns.paired else (mul, add)
    )
    products = (
        [multiply(part, beside(weights[j], like, xp)) for part in _over_unit(columns, leaves[j], j)]
        for j in present
    )
    sums = reduce(lambda x, y: list(map(plus, x, y)), products)
    if columns.paired:
        sums = [twice.settle(pair, xp) * beside(scale, like, xp) for pair in sums]
    return join(sums, dtype, xp)


def _over_unit(columns: Columns, leaf: Array, j: int) -> tuple[Array, ...]:
    """Return the wide real parts of a leaf of column j, over the unit of the column."""
    wide = parts(leaf, columns.wide, columns.xp)
    if not columns.paired:
        return wide
    unit = beside(columns.units[j], leaf, columns.xp)
    return tuple(part / unit for part in wide)


def square_root(columns: Columns) -> Callable[[Scalar], Scalar]:
    """Return the square root for inner products: exact on symbols, a float for fractions."""
    return columns.xp.sqrt if columns.wide is not None else lambda square: square ** Fraction(1, 2)


def leaf_dtypes(columns: Columns) -> list[Any]:
    """Return every leaf's dtype: that of the first vector that has the leaf."""
    return [
        next((leaf.dtype for leaf in row if leaf is not None), None)
        for row in zip(*columns.leaves, strict=True)
    ]


def wide_dtypes(columns: Columns) -> list[Any]:
    """Return for every leaf the dtype that holds it in the precision that sums are carried in."""
    xp = columns.xp
    if columns.wide is None:
        return leaf_dtypes(columns)
    return [
        complex_of(columns.wide, xp)
        if any(leaf is not None and kind(leaf, xp) == "complex" for leaf in row)
        else columns.wide
        for row in zip(*columns.leaves, strict=True)
    ]


def coarsest_spacing(columns: Columns) -> float:
    """Return the largest spacing at 1 among the dtypes of the leaves; 0 where they are exact."""
    if columns.wide is None:
        return 0.0
    dtypes = {leaf.dtype for column in columns.leaves for leaf in column if leaf is not None}
    return max((spacing(dtype, columns.xp) for dtype in dtypes), default=0.0)
