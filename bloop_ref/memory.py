"""Where pieces of memory overlap, for steps that write over what they are given."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def first_clash(
    starts: Sequence[int], ends: Sequence[int], written: Sequence[bool]
) -> tuple[int, int] | None:
    """Return two pieces of memory that overlap and of which one is written, ``None`` without such.

    Pieces that are only read may overlap with each other.

    Args:
        starts: the address of every piece.
        ends: the address behind it; a piece without entries overlaps with none.
        written: whether it is written.

    Returns:
        The places of the two in the arguments, the one that begins earlier first.

    Example:
        >>> first_clash([0, 8], [8, 16], [True, True])
        >>> first_clash([0, 8, 4], [8, 16, 8], [False, True, False])
        >>> first_clash([0, 8, 4], [8, 16, 8], [True, True, False])
        (0, 2)
    """
    if all(
        end <= start for (_, end), (start, _) in pairwise(sorted(zip(starts, ends, strict=True)))
    ):
        return None  # as nearly always
    begin, end, wet = np.asarray(starts), np.asarray(ends), np.asarray(written, bool)
    order = np.argsort(begin, kind="stable")
    order = order[end[order] > begin[order]]
    begin, end, wet = begin[order], end[order], wet[order]
    # how far any piece reaches that begins before, and how far one that is written
    reach, wet_reach = np.maximum.accumulate(end), np.maximum.accumulate(np.where(wet, end, 0))
    clashes = begin[1:] < np.where(wet[1:], reach[:-1], wet_reach[:-1])
    if not clashes.any():
        return None
    later = int(np.argmax(clashes)) + 1
    earlier = next(k for k in range(later) if end[k] > begin[later] and (wet[k] or wet[later]))
    return int(order[earlier]), int(order[later])
