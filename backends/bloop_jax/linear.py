"""The two primitives: inner products and combination, leaf by leaf, never one long vector.

A vector is here a sequence of arrays, ``None`` being zero. Everything is elementwise or a full
reduction of a leaf, so arrays may be sharded in any way.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bloop_ref._typing import Array, Rows, Scalar

Leaves: TypeAlias = Sequence[Any]
"""The leaves of a vector, in the order of its tree; ``None`` is zero."""

_finfo: Any = jnp.finfo

AxisName: TypeAlias = str | tuple[str, ...] | None
"""The mesh axes, mapped by ``shard_map``, over which the leaves are spread."""


def working_dtype(vectors: Sequence[Leaves]) -> Any:
    """Return the dtype to compute in: float64 if any leaf has it, else float32."""
    leaves = [leaf for column in vectors for leaf in column if leaf is not None]
    wide = any(_finfo(leaf.dtype).bits == 64 for leaf in leaves)
    return jnp.float64 if wide else jnp.float32


def inner_products(
    vectors: Sequence[Leaves], pairs: Sequence[tuple[int, int]], *, axis_name: AxisName = None
) -> list[Scalar]:
    """Return the inner products of some pairs of vectors, each over all its leaves.

    Products and the sum of a leaf are taken in float32, in float64 where a leaf is that wide; the
    sums of leaves are added in float64 where JAX has it.

    Args:
        vectors: k sequences of arrays of equal shapes.
        pairs: the indices of the vectors whose products are wanted.
        axis_name: mesh axes over which the sums are summed in turn; leaves that are known to be
            the same on all of an axis count once.

    Example:
        >>> g, e = [jnp.array([3.0, 4.0])], [jnp.array([-5.0, 0.0])]
        >>> [float(x) for x in inner_products([g, e], [(0, 1), (1, 1)])]
        [-15.0, 25.0]
    """
    dtype = working_dtype(vectors)
    return [total(leaf_products(vectors[i], vectors[j], dtype), axis_name) for i, j in pairs]


def leaf_products(
    x: Leaves, y: Leaves, dtype: Any, units: tuple[Leaves, Leaves] | None = None
) -> Leaves:
    """Return the inner products of the leaves of two vectors, each over its own unit."""
    nothing = (None,) * len(x)
    return tuple(
        None if p is None or q is None else _dot(p, q, dtype, over)
        for p, q, *over in zip(x, y, *(units or (nothing, nothing)), strict=True)
    )


def _dot(x: Array, y: Array, dtype: Any, units: Sequence[Scalar | None]) -> Scalar:
    over_x, over_y = units
    if over_x is not None and over_y is not None and x is y:
        # twice the same quotient would be computed once and stored, at the size of the leaf
        over_x, over_y = over_x / 2, over_y * 2
    pairs = zip(_parts(x, dtype, over_x), _parts(y, dtype, over_y), strict=True)
    return sum(jnp.sum(p * q) for p, q in pairs)


def total(scalars: Leaves, axis_name: AxisName) -> Scalar:
    """Return the sum of scalars, one for each leaf, and over mesh axes."""
    # float64 where JAX has it
    wide = jax.dtypes.canonicalize_dtype(np.float64)
    add = partial(jnp.sum, dtype=wide)
    return _reduced(scalars, axis_name, add, lax.psum, jnp.zeros((), wide))


def largest(scalars: Leaves, axis_name: AxisName) -> Scalar:
    """Return the largest of scalars, one for each leaf, also over mesh axes."""
    return _reduced(scalars, axis_name, jnp.max, lax.pmax, jnp.ones(()))


def _reduced(
    scalars: Leaves,
    axis_name: AxisName,
    reduce: Callable[[Array], Scalar],
    collective: Callable[[Scalar, tuple[str, ...]], Scalar],
    empty: Scalar,
) -> Scalar:
    """Reduce the scalars of leaves, each over those mesh axes along which it may differ."""
    present = [scalar for scalar in scalars if scalar is not None]
    axes = (axis_name,) if isinstance(axis_name, str) else axis_name or ()
    # shard_map may have been told not to keep track of what differs: then it says so of nothing
    tracked = frozenset().union(*map(_varying, present))
    groups: dict[tuple[str, ...], list[Scalar]] = {}
    for scalar in present:
        spread = tuple(x for x in axes if x in _varying(scalar) or x not in tracked)
        groups.setdefault(spread, []).append(scalar)
    totals = [
        collective(reduce(jnp.stack(group)), spread) if spread else reduce(jnp.stack(group))
        for spread, group in groups.items()
    ]
    return reduce(jnp.stack(totals)) if totals else empty


def _varying(scalar: Scalar) -> frozenset[str]:
    """Return the mesh axes along which a scalar is known to differ, where JAX keeps track."""
    known = jax.typeof(scalar) if hasattr(jax, "typeof") else None
    return getattr(known, "vma", frozenset())


def combine(
    rows: Rows,
    vectors: Sequence[Leaves],
    *,
    dtypes: Sequence[Sequence[Any]],
    units: Sequence[tuple[Scalar, Scalar] | None] | None = None,
) -> tuple[list[Array | None], ...]:
    """Return linear combinations of some vectors, in float32 or wider and rounded once.

    Output i is sum_j rows[i][j] v_j. A coefficient that is the Python integer 0 leaves its vector
    unread.

    Args:
        rows: one row of k coefficients for each output.
        vectors: k sequences of arrays of equal shapes.
        dtypes: for each output the dtype of every leaf, or ``None`` for no leaf.
        units: for a vector a pair of powers of two, ``(over, times)``: in the first output its
            term is its coefficient times the vector over the one, times the other.

    Example:
        >>> vectors = [[jnp.array([3.0])], [jnp.array([-5.0])]]
        >>> d, = combine([(1, 0.5)], vectors, dtypes=[["float32"]])
        >>> d
        [Array([0.5], dtype=float32)]
    """
    dtype = working_dtype(vectors)
    scales = units or [None] * len(vectors)
    outputs: list[list[Array | None]] = [[] for _ in rows]
    for position, leaves in enumerate(zip(*vectors, strict=True)):
        before: Array | None = None
        for i, (row, types) in enumerate(zip(rows, dtypes, strict=True)):
            terms = [
                _term(coefficient, leaf, dtype, scales[j] if i == 0 else None)
                for j, (coefficient, leaf) in enumerate(zip(row, leaves, strict=True))
                if leaf is not None and not (type(coefficient) is int and coefficient == 0)
            ]
            wanted = types[position]
            before = _sum(terms, wanted, before) if terms else _zeros(leaves, wanted)
            outputs[i].append(before)
    return tuple(outputs)


def _term(
    coefficient: Scalar, leaf: Array, dtype: Any, units: tuple[Scalar, Scalar] | None
) -> list[Array]:
    """Return the parts of a leaf times a coefficient."""
    factor = jnp.asarray(coefficient, dtype)
    if units is None:
        return [factor * part for part in _parts(leaf, dtype)]
    over, times = units
    return [factor * part * times.astype(dtype) for part in _parts(leaf, dtype, over)]


def _sum(terms: Sequence[list[Array]], dtype: Any, before: Array | None) -> Array:
    """Return a leaf of a combination, computed after another one.

    Left to itself XLA may overwrite a donated leaf before its last reader and then keeps a copy of
    it. No number is greater than infinity, which XLA does not use: the output before is waited for.
    """
    parts = [sum(of_part[1:], of_part[0]) for of_part in zip(*terms, strict=True)]
    if before is not None:
        parts[0] = jnp.where(jnp.real(before) > jnp.inf, 0, parts[0])
    return (parts[0] if len(parts) == 1 else lax.complex(*parts)).astype(dtype)


def _zeros(leaves: Sequence[Array | None], dtype: Any) -> Array | None:
    like = next((leaf for leaf in leaves if leaf is not None), None)
    return None if like is None or dtype is None else jnp.zeros_like(like, dtype)


def _parts(leaf: Array, dtype: Any, unit: Scalar | None = None) -> tuple[Array, ...]:
    """Return the real array, or the real and imaginary ones, of a leaf over its unit."""
    parts = (leaf.real, leaf.imag) if jnp.iscomplexobj(leaf) else (leaf,)
    wide = (part.astype(dtype) for part in parts)
    # a product, unlike a quotient, is cheap enough for XLA to compute twice and never to store
    return tuple(wide if unit is None else (part * (1 / unit.astype(dtype)) for part in wide))


def all_finite(vector: Leaves, axis_name: AxisName = None) -> Scalar:
    """Return whether every entry of a vector is finite, on all of the given mesh axes."""
    # 0 x is 0, or NaN where x is not finite; a sum is the reduction that XLA is fastest at
    dtype = working_dtype([vector])
    sums = [
        None if leaf is None else sum(jnp.sum(part * 0) for part in _parts(leaf, dtype))
        for leaf in vector
    ]
    return jnp.isfinite(total(sums, axis_name))


def first_dtypes(vectors: Sequence[Leaves]) -> list[Any]:
    """Return every leaf's dtype: that of the first vector that has the leaf."""
    return [
        next((leaf.dtype for leaf in leaves if leaf is not None), None)
        for leaves in zip(*vectors, strict=True)
    ]
