"""One scale for all vectors, where the squares of float64 entries would leave the range."""

import math
from collections.abc import Callable, Sequence

from bloop_ref.gramian import MOST_APART, out_of_range


def in_one_scale(
    sums_at: Callable[[float], Sequence[float]],
    peaks: Callable[[], Sequence[float]],
    *,
    doubles: bool,
) -> tuple[Sequence[float], float]:
    """Return inner products over a common unit of their vectors, and that unit: mostly 1.

    The unit is the power of two below the largest entry. Two vectors of which the largest entries
    lie further apart than ``MOST_APART`` have no unit in common: their inner products are NaN.
    Vectors that are zero need none, and entries that are not finite show in the sums as they are.

    Args:
        sums_at: returns the inner products of the vectors, each entry times a power of two.
        peaks: returns the largest magnitude in each vector that is read.
        doubles: whether any leaf is float64; products of others cannot leave its range.

    Example:
        >>> x = 2.0**600
        >>> in_one_scale(lambda scale: [x * scale * x * scale], lambda: [x], doubles=True)
        ([1.0], 4.149515568880993e+180)
    """
    sums = sums_at(1.0)
    if not doubles or not out_of_range(list(sums)):
        return sums, 1.0
    found = [peak for peak in peaks() if peak != 0]
    if not found or not all(map(math.isfinite, found)):
        return sums, 1.0
    exponent = math.frexp(max(found))[1] - 1
    unit = math.ldexp(1.0, min(max(exponent, -1022), 1022))  # 1 / unit is a normal number, too
    if min(found) / unit < 1 / MOST_APART:
        return [math.nan] * len(sums), unit
    return sums_at(1 / unit), unit
