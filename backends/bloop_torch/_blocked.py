"""Inner products on the CPU: block by block through the cache, nothing allocated by size.

Sums of blocks, in the leaf's own precision but at least float32, are added in Python's float64.
Where an inner product might have left the range of that, the sums are done again in float64, each
vector over a power of two near its peak if it is float64 itself; so no scale of the inputs
underflows or overflows.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from bloop_torch._blocks import Scratch, block_size, working_dtype
from bloop_torch._leaves import Row, entries
from bloop_torch._program import combine

__all__ = ["combine", "finite", "inner_products"]

MOST = math.sqrt(torch.finfo(torch.float64).max)
"""Inner products between 1 / MOST and MOST have a quotient within float64."""

Pairs = Sequence[tuple[int, int]]


def inner_products(
    rows: Sequence[Row], pairs: Pairs, *, scaled: bool = True
) -> tuple[list[float], tuple[int, ...]]:
    """Return the inner products of some pairs of columns, and what the columns were measured in.

    Column j was divided by 2**exponents[j]; all exponents are 0 unless float64 needs them.

    Args:
        rows: flat leaves, one row per parameter.
        pairs: the columns to multiply.
        scaled: whether exponents are allowed. Without, float64 must not leave its range.
    """
    columns = len(rows[0]) if rows else 0
    exponents = (0,) * columns
    dtypes = [working_dtype([x.dtype for x in row if x is not None]) for row in rows]
    totals = _sums(rows, pairs, dtypes, exponents)
    if in_range(rows, totals):
        return totals, exponents
    if scaled and torch.float64 in dtypes:
        exponents = tuple(_exponent([row[j] for row in rows]) for j in range(columns))
    return _sums(rows, pairs, [torch.float64] * len(rows), exponents), exponents


def in_range(rows: Sequence[Row], totals: Sequence[float]) -> bool:
    """Whether inner products that were summed in the leaves' own precision have lost nothing."""
    dtypes = [working_dtype([x.dtype for x in row if x is not None]) for row in rows]
    info = torch.finfo(torch.float32 if torch.float32 in dtypes else torch.float64)
    # underflow loses at most `tiny` per product: beside this much, less than a rounding
    least = max(entries(rows) * info.tiny / info.eps, 1 / MOST)
    return all(least <= abs(total) <= MOST for total in totals)


def _sums(
    rows: Sequence[Row], pairs: Pairs, dtypes: Sequence[torch.dtype], exponents: Sequence[int]
) -> list[float]:
    """Return inner products, each row in its dtype, of columns over powers of two."""
    scratch, totals = Scratch(), [0.0] * len(pairs)
    for row, dtype in zip(rows, dtypes, strict=True):
        there = [
            (k, i, j) for k, (i, j) in enumerate(pairs) if row[i] is not None and row[j] is not None
        ]
        used = {j for _, *pair in there for j in pair}
        needed = tuple(x if j in used else None for j, x in enumerate(row))
        for block in scratch.blocks(needed, dtype, exponents, len(row)):
            for k, i, j in there:
                totals[k] += torch.dot(block[i], block[j]).item()
    return totals


def _exponent(column: Sequence[Tensor | None]) -> int:
    """Return the exponent of a power of two near the largest magnitude of a column."""
    extremes = [x.aminmax() for x in column if x is not None and len(x)]
    peak = max((max(-low.item(), high.item()) for low, high in extremes), default=0.0)
    return min(max(math.frexp(peak)[1], -1021), 1022)


def finite(column: Sequence[Tensor | None]) -> bool:
    """Return whether every entry of a column is finite."""
    return all(
        # a sum is the quickest reader; where finite entries overflow it, each is looked at
        math.isfinite(block.sum().item()) or bool(block.isfinite().all())
        for x in column
        if x is not None
        for block in torch.split(x, block_size())
    )
