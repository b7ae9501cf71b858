"""The two operations on vectors that every method is made of: inner products and combination.

A method reads its vectors in one pass, ``inner_products``, turns the few numbers into weights, and
``combine`` applies these in another. Each is here in two forms: for anybody's pytrees, and on a
``Stack`` of vectors that have been aligned.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial, reduce
from itertools import combinations_with_replacement
from operator import add, mul
from typing import Any

from bloop_ref import _accumulate as twice
from bloop_ref.aliases import Array, Leaves, Rows, Scalar, Vector
from bloop_ref.arrays import beside, gather, join, parts, quiet
from bloop_ref.gramian import MOST_APART, Gramian
from bloop_ref.scalars import check_number, is_nothing
from bloop_ref.vectors import Stack, align


@quiet
def inner_products(
    vectors: Sequence[Vector], *, pairs: Iterable[tuple[int, int]] | None = None
) -> tuple[tuple[Scalar, ...], ...]:
    """Return the Gram matrix of some vectors, each the one long vector of all its leaves.

    Entry (i, j) is <v_i, v_j> = Re sum conj(v_i) v_j over every entry of every leaf. Sums are
    carried in float64, and in twice the precision where a leaf is float64 already or its device has
    no float64, so that the error of an entry is its own rounding and a term of second order. Where
    the largest entries of two vectors lie farther apart than a factor of about 1e141 in float64, or
    1e14 on a device without, so that a square would be lost, all entries are NaN.

    Args:
        vectors: k pytrees of arrays of one structure, shapes and library; ``None`` is zero.
        pairs: the entries that are wanted, each in either order; the others are ``None``.
            All of them by default.

    Returns:
        A symmetric k x k tuple of tuples of zero-dimensional arrays.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: structures, shapes or devices differ.

    Example:
        >>> import numpy as np
        >>> (aa, ab), (_, bb) = inner_products([np.array([3.0, 4.0]), np.array([-5.0, 0.0])])
        >>> float(aa), float(ab), float(bb)
        (25.0, -15.0, 25.0)
    """
    stack, k = _aligned(vectors), len(vectors)
    gram = gramian(stack, combinations_with_replacement(range(k), 2) if pairs is None else pairs)
    whole = stack.xp.asarray if stack.wide is not None else lambda entry: entry
    entries = {pair: whole(x * gram.unit * gram.unit) for pair, x in gram.entries.items()}
    return Gramian(entries, k).rows()


@quiet
def combine(
    weights: Rows,
    vectors: Sequence[Vector],
    *,
    dtypes: Sequence[Sequence[Any]] | None = None,
) -> tuple[Vector, ...]:
    """Return linear combinations of some vectors, one for each row of weights.

    Output i is sum_j weights[i][j] v_j. Each entry is computed in float64, or in twice the
    precision where a leaf is float64 already or its device has no float64, and rounded once. A
    weight that is the Python integer 0 leaves its vector unread, whatever it holds.

    Args:
        weights: rows of k real numbers or zero-dimensional arrays.
        vectors: k pytrees of arrays of one structure, shapes and library; ``None`` is zero.
        dtypes: for each output the dtype of every leaf; by default that of the first vector that
            has the leaf.

    Returns:
        One vector per row; a leaf is ``None`` where every vector's is.

    Raises:
        TypeError: a leaf is no floating array, array libraries are mixed, or a weight is no real
            number.
        ValueError: structures, shapes or devices differ, a row has not k entries, or a weight has
            dimensions.

    Example:
        >>> import numpy as np
        >>> d, = combine([(1, 0.5)], [np.array([3.0, 4.0]), np.array([-5.0, 0.0])])
        >>> d
        array([0.5, 4. ])
    """
    stack = _aligned(vectors)
    for i, row in enumerate(weights):
        if len(row) != len(stack.leaves):
            raise ValueError(
                f"weights[{i}] must have one entry per vector: "
                f"required {len(stack.leaves)}, found {len(row)}"
            )
        for j, weight in enumerate(row):
            check_number(f"weights[{i}][{j}]", weight, "must be a real number")
    leaves = stack.treespec.num_leaves
    wanted = [stack.dtypes] * len(weights) if dtypes is None else dtypes
    if len(wanted) != len(weights) or any(len(of_row) != leaves for of_row in wanted):
        raise ValueError(
            "dtypes must have one dtype per leaf for each row of weights: "
            f"required {len(weights)} times {leaves}, found {dtypes!r}"
        )
    rows = zip(weights, wanted, strict=True)
    return tuple(stack.unflatten(combination(stack, row, types)) for row, types in rows)


def _aligned(vectors: Sequence[Vector]) -> Stack:
    return align(**{f"vectors[{i}]": vector for i, vector in enumerate(vectors)})


def gramian(stack: Stack, pairs: Iterable[tuple[int, int]]) -> Gramian:
    """Return inner products of the vectors of a stack, all on one device.

    Where sums are carried in a dtype wider than every leaf no product can overflow or underflow.
    Elsewhere all vectors are taken over one power of two near the largest entry among those that
    are read; NaN shows that two of them lie too far apart for that.
    """
    wanted = tuple(pairs)
    if not stack.paired:
        sums = [_inner(stack, i, j, 1) for i, j in wanted]
        return Gramian(_entries(wanted, sums, stack), len(stack.leaves), spacing=stack.spacing)
    xp = stack.xp
    read = sorted({j for pair in wanted for j in pair})
    peaks = gather([stack.scalar(0), *(stack.peaks[j] for j in read)], xp)
    unit = twice.power_of_two(reduce(xp.maximum, peaks), stack.wide, xp)
    least = unit / (MOST_APART if twice.bits(stack.wide, xp) == 27 else 2.0**48)
    apart = [(peak > 0) & (peak < least) for peak in peaks]
    far = reduce(xp.logical_or, apart, stack.scalar(False, xp.bool))
    shown = xp.where(far, stack.scalar(float("nan")), stack.scalar(0))
    sums = [_home(stack, _inner(stack, i, j, unit)) + shown for i, j in wanted]
    entries = _entries(wanted, sums, stack)
    return Gramian(entries, len(stack.leaves), unit=unit, spacing=stack.spacing)


def _entries(pairs: Iterable[tuple[int, int]], sums: list[Scalar], stack: Stack) -> dict[Any, Any]:
    _, *there = gather([stack.scalar(0), *sums], stack.xp)
    return dict(zip(pairs, there, strict=True))


def _inner(stack: Stack, i: int, j: int, unit: Scalar) -> Scalar:
    """Return the inner product of two vectors, each over the unit."""
    xp = stack.xp
    operands = _operands(stack, i, j, unit)
    if not stack.paired:
        sums = [xp.sum(x * y) for x, y in operands]
        return reduce(add, gather(sums, xp)) if sums else stack.scalar(0)
    dots = [twice.dot(x, y, xp) for x, y in operands]
    if not dots:
        return stack.scalar(0)
    totals, errors = (gather(scalars, xp) for scalars in zip(*dots, strict=True))
    return twice.settle(reduce(twice.plus, zip(totals, errors, strict=True)), xp)


def _operands(stack: Stack, i: int, j: int, unit: Scalar) -> Iterator[tuple[Array, Array]]:
    """Yield the real parts that two vectors have in common, over the unit."""
    for x, y in zip(stack.leaves[i], stack.leaves[j], strict=True):
        if x is not None and y is not None and 0 not in x.shape:
            left = _over(stack, x, unit)
            yield from zip(left, left if i == j else _over(stack, y, unit), strict=True)


def combination(stack: Stack, row: Sequence[Scalar], dtypes: Sequence[Any] | None = None) -> Leaves:
    """Return the leaves of a linear combination, by default in the dtypes of the stack.

    Args:
        stack: the vectors.
        row: their weights; the integer 0, which a method's own matrix has and no computed zero is,
            leaves its vector unread.
        dtypes: of every leaf.
    """
    weights = {j: weight for j, weight in enumerate(row) if not is_nothing(weight)}
    units: dict[int, Scalar] = dict.fromkeys(weights, 1)
    scale: Scalar = 1
    if stack.paired and weights:
        # a product has an exact pair only well inside the range of exponents
        units = {j: twice.power_of_two(stack.peaks[j], stack.wide, stack.xp) for j in weights}
        weights = {j: stack.scalar(w) * _home(stack, units[j]) for j, w in weights.items()}
        largest = reduce(stack.xp.maximum, map(stack.xp.abs, weights.values()))
        scale = twice.power_of_two(largest, stack.wide, stack.xp)
        weights = {j: weight / scale for j, weight in weights.items()}
    return tuple(
        _combined_leaf(stack, weights, units, scale, position, dtype)
        for position, dtype in enumerate(stack.dtypes if dtypes is None else dtypes)
    )


def _home(stack: Stack, scalar: Scalar) -> Scalar:
    """Return a scalar where the scalars of a stack are."""
    return beside(scalar, stack.scalar(0), stack.xp)


def _combined_leaf(
    stack: Stack,
    weights: dict[int, Scalar],
    units: dict[int, Scalar],
    scale: Scalar,
    position: int,
    dtype: Any,
) -> Array | None:
    """Return one leaf of a combination of vectors over units, divided by a scale."""
    xp = stack.xp
    leaves = [vector[position] for vector in stack.leaves]
    like = next((leaf for leaf in leaves if leaf is not None), None)
    present = [j for j in weights if leaves[j] is not None]
    if not present:
        return None if like is None or dtype is None else xp.zeros_like(like, dtype=dtype)
    multiply, plus = (partial(twice.two_product, xp=xp), twice.plus) if stack.paired else (mul, add)
    products = (
        [multiply(part, beside(weights[j], like, xp)) for part in _over(stack, leaves[j], units[j])]
        for j in present
    )
    sums = reduce(lambda x, y: list(map(plus, x, y)), products)
    if stack.paired:
        sums = [twice.settle(pair, xp) * beside(scale, like, xp) for pair in sums]
    return join(sums, dtype, xp)


def _over(stack: Stack, leaf: Array, unit: Scalar) -> tuple[Array, ...]:
    """Return the wide real parts of a leaf, over the unit where there is one."""
    wide = parts(leaf, stack.wide, stack.xp)
    if not stack.paired:
        return wide
    divisor = beside(unit, leaf, stack.xp)
    return tuple(part / divisor for part in wide)
