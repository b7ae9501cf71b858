"""Which inner products are computed together."""

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]

WORTH_IT = 6
"""Pairs among four vectors and four from which on it is quicker to multiply all of these."""


@lru_cache(maxsize=64)
def grouped(pairs: tuple[tuple[int, int], ...], tiled: bool) -> tuple[Numbers, Numbers, Numbers]:
    """Return pairs to be multiplied one by one, and those among four vectors and four.

    A pair is (i, j, its number); a group of four and four has eight vectors, and sixteen numbers of
    pairs, -1 for what is not wanted.
    """
    groups: dict[tuple[int, int], dict[tuple[int, int], int]] = {}
    single = []
    for number, (i, j) in enumerate(pairs):
        low, high = sorted((i, j), key=lambda vector: vector // 4)
        group = groups.setdefault((low // 4, high // 4), {})
        if (low, high) in group:
            single.append((i, j, number))
        else:
            group[low, high] = number
    tiles, slots = [], []
    for group in groups.values():
        if not tiled or len(group) < WORTH_IT:
            single += [(i, j, number) for (i, j), number in group.items()]
            continue
        sides = [sorted({pair[side] for pair in group}) for side in (0, 1)]
        left, right = (side + side[:1] * (4 - len(side)) for side in sides)
        tiles.append((*left, *right))
        # what fills up a side is the same vector again, wanted once
        first = [
            (i, j) if left.index(i) == a and right.index(j) == b else None
            for a, i in enumerate(left)
            for b, j in enumerate(right)
        ]
        slots.append([group.get(pair, -1) if pair else -1 for pair in first])
    shapes = ((len(single), 3), (len(tiles), 8), (len(slots), 16))
    found = zip((single, tiles, slots), shapes, strict=True)
    one, four, wanted = (np.array(part, np.int64).reshape(shape) for part, shape in found)
    return one, four, wanted
