"""Inner products and combinations of vectors whose leaves are addresses of memory.

For frameworks whose tensors lie in this process's memory. Nothing is allocated that grows with the
leaves, and nothing is checked: whoever makes a table answers for its addresses, and keeps the
memory alive.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from bloop_numpy._grouping import grouped

BLOCK = 1 << 14
SERIAL = 1 << 15
"""Entries below which one thread is quickest."""

TAME = 2.0**-20, 16.0
"""Sizes of weights that lift no float32 product out of its range, and drop none that counts."""

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Table:
    """The leaves of some vectors, all of one dtype: real entries without gaps, in one order.

    ``addresses[j, l]`` is where leaf ``l`` of vector ``j`` begins, 0 where the vector has none: an
    exact zero. ``sizes[l]`` counts entries, a complex one as two. ``first[l]`` is the number of the
    leaf's first block, and ``leaf_of[b]`` the leaf that block ``b`` is cut from.
    """

    addresses: Numbers
    dtype: np.dtype[Any]
    sizes: Numbers
    first: Numbers
    leaf_of: Numbers
    bounds: Numbers

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What the compiled kernels take: beside the arrays a zero and all bits but the sign."""
        arrays = self.addresses, self.sizes, self.first, self.leaf_of, self.bounds
        return (*arrays, *_NUMBERS[self.dtype])


_NUMBERS = {
    np.dtype(np.float32): (np.float32(0), np.int32(2**31 - 1)),
    np.dtype(np.float64): (np.float64(0), np.int64(2**63 - 1)),
}


def table(addresses: Sequence[Sequence[int]], sizes: Sequence[int], dtype: Any) -> Table:
    """Return a table of leaves.

    Args:
        addresses: for each vector the address of every leaf, 0 for an exact zero.
        sizes: how many real entries each leaf has.
        dtype: float32 or float64, that of all these leaves.

    Example:
        >>> import numpy as np
        >>> a, e = np.array([3.0, 4.0]), np.array([-5.0, 0.0])
        >>> leaves = table([[a.ctypes.data], [e.ctypes.data]], [2], np.float64)
        >>> inner_products(leaves, [(0, 1), (1, 1)])
        ([-15.0, 25.0], True)
        >>> combine([(1, 0.5), (0, -1.0)], leaves, [[a.ctypes.data], [e.ctypes.data]])
        >>> a, e
        (array([0.5, 4. ]), array([ 5., -0.]))
    """
    places = np.array(addresses, np.int64).reshape(len(addresses), len(sizes))
    return Table(places, np.dtype(dtype), *_cut(tuple(sizes), threads()))


@lru_cache(maxsize=64)
def _cut(sizes: tuple[int, ...], most: int) -> tuple[Numbers, ...]:
    """Return sizes, first blocks, the leaf of each block, and bounds of parts for threads."""
    entries = np.array(sizes, np.int64)
    blocks = -(-entries // BLOCK)
    first = np.cumsum(blocks) - blocks
    leaf_of = np.repeat(np.arange(len(sizes)), blocks)
    start = np.cumsum(entries) - entries
    before = start[leaf_of] + (np.arange(len(leaf_of)) - first[leaf_of]) * BLOCK
    total = int(entries.sum())
    parts = min(most, len(leaf_of)) if total >= SERIAL else 1
    bounds = np.searchsorted(before, [total * part // parts for part in range(parts)])
    return entries, first, leaf_of, np.append(bounds, len(leaf_of))


def inner_products(
    leaves: Table,
    pairs: Sequence[tuple[int, int]],
    *,
    check: Sequence[int] = (),
    scale: float = 1.0,
) -> tuple[list[float], bool]:
    """Return the inner products of pairs of vectors over all leaves, and if some are finite.

    Products and sums are float64's, in blocks, which are then added in their order: the same bits
    for any number of threads. No vector is read from memory twice.

    Args:
        leaves: the vectors.
        pairs: the indices of the vectors whose products are wanted.
        check: the indices of the vectors whose entries must all be finite for the flag to be true.
        scale: a power of two that every entry is multiplied by.
    """
    wanted = grouped(tuple(pairs), scale == 1)
    sums, peaks = _call("read", leaves, wanted, _columns(tuple(check)), float(scale), len(pairs))
    return sums.tolist(), not check or bool(np.isfinite(_values(peaks, leaves.dtype)).all())


def largest(leaves: Table, columns: Sequence[int]) -> list[float]:
    """Return the largest magnitude of some vectors' entries; NaN, and else infinity, shows."""
    _, peaks = _call("read", leaves, grouped((), True), _columns(tuple(columns)), 1.0, 0)
    found: list[float] = _values(peaks, leaves.dtype).tolist()
    return found


def _values(bits: Numbers, dtype: np.dtype[Any]) -> Numbers:
    """Return the numbers of given bits; magnitudes are in the order of their bits."""
    return bits.astype(f"i{dtype.itemsize}").view(dtype)


@lru_cache(maxsize=64)
def _columns(wanted: tuple[int, ...]) -> Numbers:
    return np.array(wanted, np.int64)


def combine(
    matrix: Sequence[Sequence[float]], leaves: Table, outs: Sequence[Sequence[int]]
) -> None:
    """Write linear combinations of vectors: output i is sum_j matrix[i][j] v_j.

    Each entry is computed in float64 and rounded once; two rows over float32 leaves are computed in
    float32 where all weights lie in ``TAME``. A weight that is the Python integer 0 leaves its
    vector unread, whatever it holds.

    Args:
        matrix: for each output a weight per vector.
        leaves: the vectors.
        outs: for each output the address of every leaf, 0 where it is not wanted; it may be that
            of the same leaf of any vector.
    """
    used = np.array([[type(w) is not int or w != 0 for w in row] for row in matrix])
    places = np.array(outs, np.int64).reshape(len(matrix), len(leaves.sizes))
    tame = all(TAME[0] <= abs(w) <= TAME[1] for row in matrix for w in row if w != 0)
    narrow = tame and leaves.dtype == np.float32
    _call("write", leaves, places, np.array(matrix, np.float64), used, narrow)


@cache
def threads() -> int:
    """Return how many threads there may be: OMP_NUM_THREADS, or one for each core in reach."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal():
        return max(1, int(wanted))
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


_at_once = threading.Lock()  # not every threading layer can be entered twice
_forked = False


def _after_fork() -> None:
    # OpenMP's threads are gone, and its runtime would end the process
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _call(kernel: str, leaves: Table, *arguments: Any) -> Any:
    """Call a kernel, or its twin whose parts are shared out among threads."""
    alone, shared = _kernels()[kernel]
    parts = len(leaves.bounds) - 1
    if parts < 2 or _forked:
        return alone(leaves.arguments, *arguments)
    with _at_once, _at_most(parts):
        return shared(leaves.arguments, *arguments)


@cache
def _kernels() -> dict[str, tuple[Callable[..., Any], Callable[..., Any]]]:
    from bloop_numpy import _reading, _writing  # compiling takes seconds: not before it is needed

    return {
        "read": (_reading.read, _reading.read_shared),
        "write": (_writing.write, _writing.write_shared),
    }


@contextmanager
def _at_most(threads: int) -> Iterator[None]:
    """Let this thread's kernels use so many threads at most."""
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, before))
    try:
        yield
    finally:
        numba.set_num_threads(before)
