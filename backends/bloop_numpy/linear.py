"""The two primitives: inner products and combination, block by block, nothing allocated beside.

A vector is here a sequence of flat real arrays, as ``bloop_numpy.leaves`` prepares them. Blocks are
small enough to stay in cache from the first operation on them to the last.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bloop_numpy._threads import Task, share_out, tasks
from bloop_ref._columns import quiet

BLOCK = 1 << 17
"""Entries that are worked on at a time: what a step touches of them stays in cache."""

SHARE = 2
"""Blocks that are worth a thread."""

Block = npt.NDArray[Any]

Flat = Sequence[Block]
"""The leaves of a vector, each a contiguous flat array of a real dtype."""


def inner_products(
    vectors: Sequence[Flat],
    pairs: Sequence[tuple[int, int]],
    *,
    exponents: Sequence[int] | None = None,
) -> list[float]:
    """Return the inner products of some pairs of vectors, each over all its leaves.

    Products and sums of a block are taken by NumPy's BLAS, in the dtype of the leaf, at least
    float32; these are added in float64.

    Args:
        vectors: k sequences of flat real arrays of equal lengths.
        pairs: the indices of the vectors whose products are wanted.
        exponents: each vector v_j is taken times 2^-exponents[j], as it is by default.

    Example:
        >>> inner_products([[np.array([3.0, 4.0])], [np.array([-5.0, 0.0])]], [(0, 1), (1, 1)])
        [-15.0, 25.0]
    """
    shifts = [0] * len(vectors) if exponents is None else [-e for e in exponents]

    @quiet  # it does not reach from thread to thread
    def sums_of(some: Sequence[Task]) -> list[list[float]]:
        sums: list[list[float]] = [[] for _ in pairs]
        for position, block in some:
            leaves = [vector[position] for vector in vectors]
            dtype = working_dtype(leaves)
            parts = [_as(x[block], dtype, s) for x, s in zip(leaves, shifts, strict=True)]
            for found, (i, j) in zip(sums, pairs, strict=True):
                found.append(float(np.dot(parts[i], parts[j])))
        return sums

    found = share_out(sums_of, tasks([leaf.size for leaf in vectors[0]], BLOCK), SHARE)
    # one rounding, so that the number of threads does not show
    return [_sum([x for of_thread in found for x in of_thread[p]]) for p in range(len(pairs))]


def _sum(values: Sequence[float]) -> float:
    return math.fsum(values) if all(map(math.isfinite, values)) else sum(values)


def combine(
    rows: Sequence[Sequence[float]],
    vectors: Sequence[Flat],
    *,
    out: Sequence[Flat],
    homes: Sequence[int],
    shifts: Sequence[Sequence[int]] | None = None,
) -> None:
    """Write linear combinations of some vectors, all outputs of a block while it is in cache.

    Output i is sum_j rows[i][j] v_j. A coefficient that is the Python integer 0 leaves its vector
    unread.

    Args:
        rows: one row of k coefficients for each output.
        vectors: k sequences of flat real arrays of equal lengths.
        out: where the outputs are written: other arrays, or those of the output's home.
        homes: for each output the vector that it starts from, and whose place it may take if no
            later output reads that.
        shifts: each v_j is taken times 2^shifts[i][j] in output i, as it is by default; 0 at home.

    Example:
        >>> a, e = np.array([3.0, 4.0]), np.array([1.0, 2.0])
        >>> combine([(0.5, 2)], [[a], [e]], out=[[a]], homes=[0])
        >>> a
        array([3.5, 6. ])
    """
    moves = shifts or [[0] * len(vectors)] * len(rows)

    @quiet
    def write(some: Sequence[Task]) -> None:
        spare = {np.dtype(t): np.empty(BLOCK, t) for t in (np.float32, np.float64)}
        for position, block in some:
            parts = [vector[position][block] for vector in vectors]
            dtype = working_dtype(parts)
            for row, move, of, home in zip(rows, moves, out, homes, strict=True):
                target = of[position][block]
                y = target if target.dtype == dtype else np.empty(target.size, dtype)
                np.multiply(parts[home], dtype.type(row[home]), out=y)
                for j, weight in enumerate(row):
                    if j != home and (type(weight) is not int or weight != 0):
                        x = _as(parts[j], dtype, move[j])
                        _add(weight, x, y, spare[dtype][: y.size])
                if y is not target:
                    target[...] = y

    share_out(write, tasks([leaf.size for leaf in vectors[0]], BLOCK), SHARE)


def _add(weight: float, x: Block, y: Block, spare: Block) -> None:
    """Add a multiple of x to y in place."""
    if weight != 1:
        x = np.multiply(x, y.dtype.type(weight), out=spare)
    np.add(y, x, out=y)


def exponent_of(vector: Flat) -> int:
    """Return the exponent of a power of two above the largest magnitude; 0 where that is none."""
    peak = 0.0
    for position, block in tasks([leaf.size for leaf in vector], BLOCK):
        part = vector[position][block]
        ends = float(np.max(part)), -float(np.min(part))
        peak = max(peak, *ends) if not math.isnan(sum(ends)) else math.nan
    return math.frexp(peak)[1] if math.isfinite(peak) else 0


def working_dtype(leaves: Sequence[Block]) -> np.dtype[Any]:
    """Return the dtype to compute in: that of the widest leaf, at least float32."""
    return np.dtype(np.float64 if any(x.dtype == np.float64 for x in leaves) else np.float32)


def _as(x: Block, dtype: np.dtype[Any], shift: int) -> Block:
    """Return a block in a dtype and times a power of two; itself where it is that."""
    x = x.astype(dtype, copy=False)
    return np.ldexp(x, shift) if shift else x
