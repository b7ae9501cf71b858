"""The kernel that multiplies: compiled at first use, kept on disk, on addresses of leaves.

It walks blocks of leaves, in parts that threads share. Entries are turned into float64 in
registers. Of many pairs that takes longer than memory does, so those among four vectors and four
others are multiplied together: each entry is turned wide once for four products.
"""

from typing import Any

import numpy as np
from numba import njit, prange

from bloop_numpy._lanes import at, kept

BLOCK = 1 << 14
"""Entries whose products are added up apart, whatever the threads."""

NEAR = 1 << 10
"""Entries of several vectors that stay in the nearest cache from one pair to the next."""


@njit
def _scaled(x: Any, scale: float) -> float:
    # apart, so that the two factors of a product are not multiplied with each other first
    return np.float64(x) * scale


@njit(fastmath={"reassoc", "contract"})
def _dot(x: Any, y: Any, n: int, scale: float) -> float:
    total = 0.0
    if scale == 1.0:
        for i in range(n):
            total += np.float64(x[i]) * np.float64(y[i])
    else:
        for i in range(n):
            total += _scaled(x[i], scale) * _scaled(y[i], scale)
    return total


@njit(fastmath={"reassoc", "contract"})
def _both(x: Any, y: Any, n: int) -> tuple[float, float]:
    product, square = 0.0, 0.0
    for i in range(n):
        a, e = np.float64(x[i]), np.float64(y[i])
        product += a * e
        square += e * e
    return product, square


@njit(fastmath={"reassoc", "contract"})
def _four_by_four(a: Any, b: Any, c: Any, d: Any, p: Any, q: Any, r: Any, s: Any, n: int) -> Any:
    ap = aq = ar = as_ = bp = bq = br = bs = cp = cq = cr = cs = dp = dq = dr = ds = 0.0
    for i in range(n):
        w, x, y, z = np.float64(p[i]), np.float64(q[i]), np.float64(r[i]), np.float64(s[i])
        k = np.float64(a[i])
        ap, aq, ar, as_ = ap + k * w, aq + k * x, ar + k * y, as_ + k * z
        k = np.float64(b[i])
        bp, bq, br, bs = bp + k * w, bq + k * x, br + k * y, bs + k * z
        k = np.float64(c[i])
        cp, cq, cr, cs = cp + k * w, cq + k * x, cr + k * y, cs + k * z
        k = np.float64(d[i])
        dp, dq, dr, ds = dp + k * w, dq + k * x, dr + k * y, ds + k * z
    return ap, aq, ar, as_, bp, bq, br, bs, cp, cq, cr, cs, dp, dq, dr, ds


@njit
def _or(address: Any, other: Any) -> Any:
    return address if address != 0 else other


@njit
def _add_tile(addresses: Any, tile: Any, slots: Any, i: int, n: int, like: Any, sums: Any) -> None:
    # what is missing is not multiplied: some vector that is there stands in for it
    there = 0
    for j in tile:
        there = max(there, addresses[j])
    if there == 0:
        return
    found = _four_by_four(
        at(_or(addresses[tile[0]], there), i, like),
        at(_or(addresses[tile[1]], there), i, like),
        at(_or(addresses[tile[2]], there), i, like),
        at(_or(addresses[tile[3]], there), i, like),
        at(_or(addresses[tile[4]], there), i, like),
        at(_or(addresses[tile[5]], there), i, like),
        at(_or(addresses[tile[6]], there), i, like),
        at(_or(addresses[tile[7]], there), i, like),
        n,
    )
    for place in range(16):
        both = addresses[tile[place // 4]] != 0 and addresses[tile[4 + place % 4]] != 0
        if both and slots[place] >= 0:
            sums[slots[place]] += found[place]


@njit
def _peak(x: Any, n: int, mask: Any, peak: Any) -> Any:
    for i in range(n):
        peak = max(peak, np.int64(x[i] & mask))
    return peak


@njit
def _read(
    table: Any,
    wanted: Any,
    columns: Any,
    scale: float,
    start: int,
    stop: int,
    sums: Any,
    peaks: Any,
) -> None:
    addresses, sizes, first, leaf_of, _, like, mask = table
    pairs, tiles, slots = wanted
    # <x, y> and <y, y>, which two vectors are projected by
    both = len(pairs) == 2 and scale == 1.0 and pairs[0, 1] == pairs[1, 0] == pairs[1, 1]
    for block in range(start, stop):
        leaf = leaf_of[block]
        low = (block - first[leaf]) * BLOCK
        high = min(low + BLOCK, sizes[leaf])
        for i in range(low, high, NEAR):
            n = min(NEAR, high - i)
            x, y = (addresses[pairs[0, 0], leaf], addresses[pairs[0, 1], leaf]) if both else (0, 0)
            if x != 0 and y != 0:
                product, square = _both(at(x, i, like), at(y, i, like), n)
                sums[block, 0] += product
                sums[block, 1] += square
            else:
                for p in range(len(pairs)):
                    x, y = addresses[pairs[p, 0], leaf], addresses[pairs[p, 1], leaf]
                    if x != 0 and y != 0:
                        sums[block, pairs[p, 2]] += _dot(at(x, i, like), at(y, i, like), n, scale)
            for t in range(len(tiles)):
                _add_tile(addresses[:, leaf], tiles[t], slots[t], i, n, like, sums[block])
            for c in range(len(columns)):
                x = addresses[columns[c], leaf]
                if x != 0:
                    peaks[block, c] = _peak(at(x, i, mask), n, mask, peaks[block, c])


@njit
def _gathered(sums: Any, peaks: Any) -> Any:
    for block in range(1, len(sums)):
        for p in range(sums.shape[1]):
            sums[0, p] += sums[block, p]
        for c in range(peaks.shape[1]):
            peaks[0, c] = max(peaks[0, c], peaks[block, c])
    return sums[0], peaks[0]


@kept()
def read(table: Any, wanted: Any, columns: Any, scale: float, size: int) -> Any:
    """Return sums of pairs, and the largest magnitudes of columns as bits, by one thread."""
    blocks = len(table[3])
    sums, peaks = np.zeros((blocks + 1, size)), np.zeros((blocks + 1, len(columns)), np.int64)
    _read(table, wanted, columns, scale, 0, blocks, sums, peaks)
    return _gathered(sums, peaks)


@kept(parallel=True)
def read_shared(table: Any, wanted: Any, columns: Any, scale: float, size: int) -> Any:
    """Do as ``read`` does, each part of the blocks by a thread."""
    blocks, bounds = len(table[3]), table[4]
    sums, peaks = np.zeros((blocks + 1, size)), np.zeros((blocks + 1, len(columns)), np.int64)
    for part in prange(len(bounds) - 1):
        _read(table, wanted, columns, scale, bounds[part], bounds[part + 1], sums, peaks)
    return _gathered(sums, peaks)
