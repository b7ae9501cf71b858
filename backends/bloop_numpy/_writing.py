"""The kernel that combines: compiled at first use, kept on disk, on addresses of leaves.

It walks blocks of leaves, in parts that threads share. Entries are turned into float64 in
registers: memory is what it waits for. Only two rows over three vectors, a step of Bloop, need less
time than that takes where a cache holds them.
"""

from typing import Any

import numpy as np
from numba import njit, prange

from bloop_numpy._lanes import WIDTH, at, kept, load, plus, same, store

BLOCK = 1 << 14
"""Entries that are looked up together."""


@njit
def _columns(matrix: Any, used: Any, addresses: Any, leaf: int, weights: Any, places: Any) -> Any:
    counts = np.zeros(len(matrix), np.int64)
    for row in range(len(matrix)):
        for j in range(len(addresses)):
            if used[row, j] and addresses[j, leaf] != 0:
                weights[row, counts[row]] = matrix[row, j]
                places[row, counts[row]] = addresses[j, leaf]
                counts[row] += 1
    return counts


@njit(fastmath={"contract"})
def _entry(weights: Any, places: Any, count: int, i: int, like: Any) -> float:
    total = -0.0 if count else 0.0  # -0.0 is what any number can be added to
    for c in range(count):
        total += weights[c] * np.float64(at(places[c], i, like)[0])
    return total


@njit
def _apart(outs: Any, leaf: int, places: Any, counts: Any) -> bool:
    for r in range(len(counts)):
        for later in range(r + 1, len(counts)):
            for c in range(counts[later]):
                if places[later, c] == outs[r, leaf]:
                    return False
    return True


@njit
def _two_rows(
    outs: Any, leaf: int, low: int, high: int, like: Any, w: Any, places: Any, zero: Any
) -> None:
    # all that a write could change, as far as a compiler knows, is looked up beforehand
    x, y, z = places[0, 0], places[0, 1], places[0, 2]
    first, second = outs[0, leaf], outs[1, leaf]
    wx, wy, wz, vx, vz = w[0, 0], w[0, 1], w[0, 2], w[1, 0], w[1, 1]
    nothing = same(-zero)
    for i in range(low, high, WIDTH):
        a = load(at(x, i, like), zero)
        b = load(at(y, i, like), zero)
        c = load(at(z, i, like), zero)
        total = plus(plus(plus(nothing, wx, a), wy, b), wz, c)
        other = plus(plus(nothing, vx, a), vz, c)
        store(at(first, i, like), total)
        store(at(second, i, like), other)


@njit
def _two_rows_of(
    narrow: bool, outs: Any, leaf: int, low: int, high: int, like: Any, w: Any, places: Any
) -> None:
    if narrow:
        _two_rows(outs, leaf, low, high, like, w.astype(np.float32), places, np.float32(0))
    else:
        _two_rows(outs, leaf, low, high, like, w, places, np.float64(0))


@njit
def _is_two_rows(outs: Any, leaf: int, places: Any, counts: Any) -> bool:
    # rows over (x, y, z) and (x, z), both wanted: a direction and an average
    if len(counts) != 2 or counts[0] != 3 or counts[1] != 2:
        return False
    if places[1, 0] != places[0, 0] or places[1, 1] != places[0, 2]:
        return False
    return bool(outs[0, leaf] != 0 and outs[1, leaf] != 0)


@njit
def _write(
    table: Any, outs: Any, matrix: Any, used: Any, narrow: bool, start: int, stop: int
) -> None:
    addresses, sizes, first, leaf_of, _, like, _ = table
    tile, wide = np.empty((len(matrix), WIDTH)), np.float64(0)
    near = tile.ctypes.data
    weights, places = np.empty(matrix.shape), np.empty(matrix.shape, np.int64)
    for block in range(start, stop):
        leaf = leaf_of[block]
        low = (block - first[leaf]) * BLOCK
        high = min(low + BLOCK, sizes[leaf])
        counts = _columns(matrix, used, addresses, leaf, weights, places)
        # where a row's output is what a later row has yet to read, all rows are computed first
        at_once = _apart(outs, leaf, places, counts)
        whole = high - (high - low) % WIDTH
        done = low
        if _is_two_rows(outs, leaf, places, counts):  # with nothing to look up at every entry
            _two_rows_of(narrow, outs, leaf, low, whole, like, weights, places)
            done = whole
        for i in range(done, whole, WIDTH):
            for r in range(len(matrix)):
                total = same(-0.0 if counts[r] else 0.0)
                for c in range(counts[r]):
                    total = plus(total, weights[r, c], load(at(places[r, c], i, like), wide))
                if not at_once:
                    store(at(near, r * WIDTH, wide), total)
                elif outs[r, leaf] != 0:
                    store(at(outs[r, leaf], i, like), total)
            if not at_once:
                _put(outs, leaf, i, like, near)
        for i in range(whole, high):
            _one(outs, leaf, i, like, weights, places, counts, tile)


@njit
def _one(
    outs: Any, leaf: int, i: int, like: Any, weights: Any, places: Any, counts: Any, tile: Any
) -> None:
    for r in range(len(outs)):
        tile[r, 0] = _entry(weights[r], places[r], counts[r], i, like)
    for r in range(len(outs)):
        if outs[r, leaf] != 0:
            at(outs[r, leaf], i, like)[0] = tile[r, 0]


@njit
def _put(outs: Any, leaf: int, i: int, like: Any, near: int) -> None:
    for r in range(len(outs)):
        if outs[r, leaf] != 0:
            store(
                at(outs[r, leaf], i, like), load(at(near, r * WIDTH, np.float64(0)), np.float64(0))
            )


@kept()
def write(table: Any, outs: Any, matrix: Any, used: Any, narrow: bool) -> None:
    """Write combinations of the vectors of a table, by one thread."""
    _write(table, outs, matrix, used, narrow, 0, len(table[3]))


@kept(parallel=True)
def write_shared(table: Any, outs: Any, matrix: Any, used: Any, narrow: bool) -> None:
    """Do as ``write`` does, each part of the blocks by a thread."""
    bounds = table[4]
    for part in prange(len(bounds) - 1):
        _write(table, outs, matrix, used, narrow, bounds[part], bounds[part + 1])
