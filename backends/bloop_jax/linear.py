"""The two primitives: inner products and combination, leaf by leaf, never one long vector.

A vector is here a sequence of arrays, ``None`` being zero. Everything is elementwise or a full
reduction of a leaf, so arrays may be sharded in any way. The few scalars are float64 whether or not
the user has it: all of this is traced within ``float64()``.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial, reduce
from operator import mul
from typing import Any, TypeAlias

import jax
import jax.experimental
import jax.numpy as jnp
from jax import lax

from bloop_ref.aliases import Array, Rows, Scalar
from bloop_ref.gramian import MOST_APART, Gramian, Pairs
from bloop_ref.scalars import is_nothing
from bloop_ref.vectors import Stack

Leaves: TypeAlias = Sequence[Any]
"""The leaves of a vector, in the order of its tree; ``None`` is zero."""

AxisName: TypeAlias = str | tuple[str, ...] | None
"""The mesh axes, mapped by ``shard_map``, over which the leaves are spread."""

_finfo: Any = jnp.finfo
_barrier: Any = lax.optimization_barrier
FAR = 2.0**126
"""Float32 holds the powers of two between 1 / FAR and FAR."""


def float64() -> AbstractContextManager[Any]:
    """Return a context in which JAX traces float64 as such, whatever ``jax_enable_x64`` is."""
    places: tuple[Any, ...] = (jax, jax.experimental)  # of new and of older versions
    enable = next(x.enable_x64 for x in places if hasattr(x, "enable_x64"))
    context: AbstractContextManager[Any] = enable(True)
    return context


def working_dtype(vectors: Sequence[Leaves]) -> Any:
    """Return the dtype that entries are computed in: float64 if any leaf has it, else float32."""
    leaves = [leaf for vector in vectors for leaf in vector if leaf is not None]
    wide = any(_finfo(leaf.dtype).bits == 64 for leaf in leaves)
    return jnp.float64 if wide else jnp.float32


def gramian(stack: Stack, pairs: Pairs, *, axis_name: AxisName, narrow: bool) -> Gramian:
    """Return inner products of the vectors of a stack, all leaves and mesh axes together.

    Leaves are summed in float64. ``narrow`` allows float32 for leaves no wider than that: as
    accurate as such a leaf's textbook sum, and on a CPU half again as fast.
    """
    dtype = working_dtype(stack.leaves) if narrow else jnp.float64
    sums, unit = _inner_products(stack.leaves, tuple(pairs), axis_name, dtype)
    entries = dict(zip(pairs, sums, strict=True))
    return Gramian(entries, len(stack.leaves), unit=unit, spacing=stack.spacing)


@partial(jax.jit, static_argnums=(1, 2, 3))
def _inner_products(
    vectors: Sequence[Leaves], pairs: Pairs, axis_name: AxisName, dtype: Any
) -> tuple[list[Scalar], Scalar]:
    """Return inner products in float64, and the power of two over which vectors were taken."""
    one = jnp.ones((), jnp.float64)
    sums = [_inner(vectors[i], vectors[j], dtype, axis_name) for i, j in pairs]
    if dtype == jnp.float64 != working_dtype(vectors):  # then no square can leave the range
        return sums, one
    # within these a sum of products has lost nothing: half of the range of exponents is left for
    # those that are smaller than it
    least = float(_finfo(dtype).smallest_normal) ** 0.5
    read = [x for x, (i, j) in zip(sums, pairs, strict=True) if _common(vectors[i], vectors[j])]
    if not read:
        return sums, one
    inside = [(jnp.abs(x) >= least) & (jnp.abs(x) <= 1 / least) for x in read]
    rescaled = partial(_over_a_unit, vectors, pairs, axis_name)
    found: tuple[list[Scalar], Scalar]
    found = lax.cond(reduce(jnp.logical_and, inside), lambda: (sums, one), rescaled)
    return found


def _over_a_unit(
    vectors: Sequence[Leaves], pairs: Pairs, axis_name: AxisName
) -> tuple[list[Scalar], Scalar]:
    """Return inner products over one power of two near the largest entry that is read.

    NaN shows that two vectors lie too far apart for that.
    """
    peaks = [_peak(vectors[j], axis_name) for j in sorted({j for pair in pairs for j in pair})]
    most = reduce(jnp.maximum, peaks)
    # without mantissa it is a power of two; a quarter, for its inverse is to be normal
    power = lax.reduce_precision(jnp.maximum(most, 2.0**-1000) / 4, 11, 0)
    unit = jnp.where(jnp.isfinite(most), power, 1.0)
    apart = reduce(jnp.logical_or, [(p > 0) & (p < most / MOST_APART) for p in peaks])
    shown = jnp.where(apart, jnp.nan, 0.0)
    sums = [_inner(vectors[i], vectors[j], jnp.float64, axis_name, unit) for i, j in pairs]
    return [x + shown for x in sums], unit


def _common(x: Leaves, y: Leaves) -> list[tuple[Array, Array]]:
    both = zip(x, y, strict=True)
    return [(p, q) for p, q in both if p is not None and q is not None]


def _inner(
    x: Leaves, y: Leaves, dtype: Any, axis_name: AxisName, unit: Scalar | None = None
) -> Scalar:
    """Return an inner product of two vectors, over a unit if there is one, as a float64."""
    dots = [_dot(p, q, dtype, unit) for p, q in _common(x, y)]
    return _reduced(dots, axis_name, jnp.sum, lax.psum)


def _dot(x: Array, y: Array, dtype: Any, unit: Scalar | None) -> Scalar:
    if unit is None and x.dtype == y.dtype == dtype:
        return jnp.sum(x * y)
    # a product, unlike a quotient, is cheap enough for XLA to compute twice; and behind a barrier
    # no sum shares an operand with others, which XLA would then store at the size of a leaf
    over = jnp.ones((), dtype) if unit is None else 1 / unit
    x, y, over_x, over_y = _barrier((x, y, over, over))
    pairs = zip(_parts(x, dtype), _parts(y, dtype), strict=True)
    return sum(jnp.sum((p * over_x) * (q * over_y)) for p, q in pairs)


def _peak(vector: Leaves, axis_name: AxisName) -> Scalar:
    """Return the largest magnitude of the entries of a vector, as a float64."""
    parts = [part for leaf in vector if leaf is not None for part in _parts(leaf, leaf.real.dtype)]
    peaks = [jnp.max(jnp.abs(part), initial=0) for part in parts]
    return _reduced(peaks, axis_name, jnp.max, lax.pmax)


def _reduced(
    scalars: Leaves,
    axis_name: AxisName,
    reduction: Callable[[Array], Scalar],
    collective: Callable[[Scalar, tuple[str, ...]], Scalar],
) -> Scalar:
    """Reduce the scalars of leaves, each over those mesh axes along which it may differ."""
    axes = (axis_name,) if isinstance(axis_name, str) else axis_name or ()
    # shard_map may have been told not to keep track of what differs: then it says so of nothing
    tracked = frozenset().union(*map(_varying, scalars))
    groups: dict[tuple[str, ...], list[Scalar]] = {}
    for scalar in scalars:
        spread = tuple(x for x in axes if x in _varying(scalar) or x not in tracked)
        groups.setdefault(spread, []).append(scalar.astype(jnp.float64))
    totals = [
        collective(reduction(jnp.stack(group)), spread) if spread else reduction(jnp.stack(group))
        for spread, group in groups.items()
    ]
    return reduction(jnp.stack(totals)) if totals else jnp.zeros((), jnp.float64)


def _varying(scalar: Scalar) -> frozenset[str]:
    """Return the mesh axes along which a scalar is known to differ, where JAX keeps track."""
    known: Any = jax.typeof(scalar)
    axes: frozenset[str] = getattr(known, "vma", frozenset())  # in versions before 0.10
    return getattr(getattr(known, "manual_axis_type", None), "varying", axes)


def combinations(
    stack: Stack, rows: Rows, dtypes: Sequence[Sequence[Any]]
) -> Sequence[tuple[Array | None, ...]]:
    """Return linear combinations of the vectors of a stack, in float32 or wider, rounded once."""
    weights = [
        [None if is_nothing(weight) else jnp.asarray(weight, jnp.float64) for weight in row]
        for row in rows
    ]
    found: Sequence[tuple[Array | None, ...]]
    found = _combined(stack.leaves, weights, tuple(map(tuple, dtypes)))
    return found


@partial(jax.jit, static_argnums=2)
def _combined(
    vectors: Sequence[Leaves], rows: Rows, dtypes: Sequence[Sequence[Any]]
) -> list[tuple[Array | None, ...]]:
    """Return one combination for each row of weights; ``None`` leaves its vector unread."""
    working = working_dtype(vectors)
    weights = [[None if w is None else _factors(w, working) for w in row] for row in rows]
    outputs: list[list[Array | None]] = [[] for _ in rows]
    for position, leaves in enumerate(zip(*vectors, strict=True)):
        before: Array | None = None
        for row, types, output in zip(weights, dtypes, outputs, strict=True):
            terms = [
                [reduce(mul, factors, part) for part in _parts(leaf, working)]
                for factors, leaf in zip(row, leaves, strict=True)
                if factors is not None and leaf is not None
            ]
            output.append(_sum(terms, types[position], before) if terms else None)
            before = output[-1]
    return list(map(tuple, outputs))


def _factors(weight: Scalar, dtype: Any) -> tuple[Scalar, ...]:
    """Return numbers of a dtype whose product is the weight, on the same side of 1 in magnitude.

    A product with one after the other leaves the range of float32 only where that with the weight
    does; XLA must not multiply them first.
    """
    if dtype == jnp.float64:
        return (weight,)
    size = jnp.abs(weight)
    far = jnp.where(size > FAR, FAR, jnp.where(size < 1 / FAR, 1 / FAR, 1.0))
    factors: tuple[Scalar, ...] = _barrier(((weight / far).astype(dtype), far.astype(dtype)))
    return factors


def _sum(terms: Sequence[list[Array]], dtype: Any, before: Array | None) -> Array:
    """Return a leaf of a combination, computed after another one.

    Left to itself XLA may overwrite a donated leaf before its last reader and then keeps a copy of
    it. No number is greater than infinity, which XLA does not use: the output before is waited for.
    """
    parts = [sum(of_part[1:], of_part[0]) for of_part in zip(*terms, strict=True)]
    if before is not None:
        parts[0] = jnp.where(jnp.real(before) > jnp.inf, 0, parts[0])
    return (parts[0] if len(parts) == 1 else lax.complex(*parts)).astype(dtype)


def _parts(leaf: Array, dtype: Any) -> tuple[Array, ...]:
    """Return the real array, or the real and imaginary ones, of a leaf."""
    parts = (leaf.real, leaf.imag) if jnp.iscomplexobj(leaf) else (leaf,)
    return tuple(part.astype(dtype) for part in parts)


def all_finite(stack: Stack, places: Sequence[int], *, axis_name: AxisName) -> Scalar:
    """Return whether every entry of some vectors is finite, on all of the given mesh axes."""
    return _all_finite([stack.leaves[j] for j in places], axis_name)


@partial(jax.jit, static_argnums=1)
def _all_finite(vectors: Sequence[Leaves], axis_name: AxisName) -> Scalar:
    # 0 x is 0, or NaN where x is not finite; a sum is the reduction that XLA is fastest at
    parts = [
        part
        for vector in vectors
        for leaf in vector
        if leaf is not None
        for part in _parts(leaf, jnp.promote_types(leaf.real.dtype, jnp.float32))
    ]
    return jnp.isfinite(
        _reduced([jnp.sum(part * 0) for part in parts], axis_name, jnp.sum, lax.psum)
    )
