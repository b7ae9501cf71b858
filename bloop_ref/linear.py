"""The two operations on vectors that every method is made of: inner products and combination.

Bloop and its neighbours read gradients only through their inner products and return linear
combinations of them. So a method has three layers: ``inner_products`` reads the vectors into a
small Gram matrix, the method turns that into a small coefficient matrix, and ``combine`` applies
it.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations_with_replacement
from typing import Any

from bloop_ref._columns import combination, inner, leaf_dtypes, quiet
from bloop_ref._scalars import symmetric
from bloop_ref._typing import Rows, Scalar, Vector
from bloop_ref._vectors import Columns, align


@quiet
def inner_products(
    vectors: Sequence[Vector], *, pairs: Iterable[tuple[int, int]] | None = None
) -> tuple[tuple[Scalar, ...], ...]:
    """Return the Gram matrix of some vectors, each the one long vector of all its leaves.

    Entry (i, j) is <v_i, v_j> = Re sum conj(v_i) v_j over every entry of every leaf. Sums are
    carried in float64, and in twice the precision where a leaf is float64 already or its device has
    no float64, so that the error of an entry is its own rounding and a term of second order.

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
    columns = _aligned(vectors)
    k, units = len(columns.leaves), columns.units
    wanted = combinations_with_replacement(range(k), 2) if pairs is None else pairs
    entries = (((i, j), inner(columns, i, j) * units[i] * units[j]) for i, j in wanted)
    return tuple(map(tuple, symmetric(k, entries)))


@quiet
def combine(
    coefficients: Rows,
    vectors: Sequence[Vector],
    *,
    dtypes: Sequence[Sequence[Any]] | None = None,
) -> tuple[Vector, ...]:
    """Return linear combinations of some vectors, one for each row of the coefficient matrix.

    Output i is sum_j coefficients[i][j] v_j. Each entry is computed in float64, or in twice the
    precision where a leaf is float64 already or its device has no float64, and rounded once. A
    coefficient that is the Python integer 0 leaves its vector unread, whatever it holds.

    Args:
        coefficients: rows of k real numbers or zero-dimensional arrays.
        vectors: k pytrees of arrays of one structure, shapes and library; ``None`` is zero.
        dtypes: for each output the dtype of every leaf; by default that of the first vector that
            has the leaf.

    Returns:
        One vector per row; a leaf is ``None`` where every vector's is.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: structures, shapes or devices differ, or a row has not k entries.

    Example:
        >>> import numpy as np
        >>> d, = combine([(1, 0.5)], [np.array([3.0, 4.0]), np.array([-5.0, 0.0])])
        >>> d
        array([0.5, 4. ])
    """
    columns = _aligned(vectors)
    for i, row in enumerate(coefficients):
        if len(row) != len(columns.leaves):
            raise ValueError(
                f"coefficients[{i}] must have one entry per vector: "
                f"required {len(columns.leaves)}, found {len(row)}"
            )
    wanted = [leaf_dtypes(columns)] * len(coefficients) if dtypes is None else dtypes
    leaves = columns.treespec.num_leaves
    if len(wanted) != len(coefficients) or any(len(of_row) != leaves for of_row in wanted):
        raise ValueError(
            "dtypes must have one dtype per leaf for each row of coefficients: "
            f"required {len(coefficients)} times {leaves}, found {dtypes!r}"
        )
    return tuple(
        columns.unflatten(combination(columns, row, dtypes=types))
        for row, types in zip(coefficients, wanted, strict=True)
    )


def _aligned(vectors: Sequence[Vector]) -> Columns:
    return align(**{f"vectors[{i}]": vector for i, vector in enumerate(vectors)})
