"""Leaves that the kernels do not take, in float64 by NumPy, block by block.

Half precision, foreign byte orders, leaves of several dtypes or without an order in common.
"""

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from bloop_ref.aliases import Array

Row = Sequence[Array | None]
"""One leaf of every vector."""

BLOCK = 1 << 13


def sums(row: Row, pairs: Sequence[tuple[int, int]], scale: float) -> list[float]:
    """Return the inner products of pairs of vectors in one leaf, each entry times a scale."""
    found = [0.0] * len(pairs)
    for x, _ in _blocks(row, ()):
        for p, (i, j) in enumerate(pairs):
            if i in x and j in x:
                # no BLAS, which adds up in another order with other threads
                found[p] += float(((x[i] * scale) * (x[j] * scale)).sum())
    return found


def largest(row: Row, columns: Sequence[int]) -> list[float]:
    """Return the largest magnitude of some vectors' entries in one leaf."""
    found = np.zeros(len(columns))
    for x, _ in _blocks(row, ()):
        for c, j in enumerate(columns):
            if j in x:
                found[c] = np.maximum(found[c], np.abs(x[j]).max(initial=0))
    return list(map(float, found))


def combine(matrix: Sequence[Sequence[float]], row: Row, outs: Row) -> None:
    """Write combinations of the vectors in one leaf, rounded once to the dtypes of the outputs."""
    for x, out in _blocks(row, outs):
        results = {}
        for r in out:
            read = {j: w for j, w in enumerate(matrix[r]) if type(w) is not int or w != 0}
            terms = [w * x[j] for j, w in read.items() if j in x]
            results[r] = reduce(add, terms) if terms else 0.0
        for r, result in results.items():
            out[r][...] = result


def _blocks(row: Row, outs: Row) -> Iterator[tuple[dict[int, Any], dict[int, Any]]]:
    """Yield blocks of the leaves and outputs that there are, in float64, by their indices."""
    places = [[j for j, x in enumerate(leaves) if x is not None] for leaves in (row, outs)]
    arrays: list[Any] = [x for x in (*row, *outs) if x is not None]
    reads, writes = map(len, places)
    if not arrays or arrays[0].size == 0:
        return
    wide = np.complex128 if arrays[0].dtype.kind == "c" else np.float64
    modes: Any = [["readonly", "contig"]] * reads + [["writeonly", "contig"]] * writes
    walk: Any = np.nditer(
        arrays,
        flags=["external_loop", "buffered"],
        op_flags=modes,
        op_dtypes=[wide] * len(arrays),
        casting="unsafe",
        buffersize=BLOCK,
    )
    with walk:
        for found in walk:
            parts = [part.view(np.float64) for part in (found if len(arrays) > 1 else (found,))]
            present = zip(places[0], parts[:reads], strict=True)
            yield dict(present), dict(zip(places[1], parts[reads:], strict=True))
