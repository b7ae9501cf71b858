"""Leaves cut into blocks that stay in the cache, brought to the dtype that is worked in."""

import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from bloop_torch._leaves import Row

CACHED = 1 << 17
"""Entries of a block for each thread: three float32 blocks fit in a core's own cache of 2 MB."""


def block_size(columns: int = 3) -> int:
    """Return how many entries of each of some columns all threads work on at a time."""
    return CACHED * 3 // max(3, columns) * torch.get_num_threads()


def working_dtype(dtypes: Iterable[torch.dtype | None]) -> torch.dtype:
    """Return the dtype that the arithmetic of leaves with some dtypes is done in by default."""
    return torch.float64 if torch.float64 in dtypes else torch.float32


class Scratch:
    """Blocks that are allocated once and used for every leaf, each for one purpose."""

    def __init__(self) -> None:
        """Start with none."""
        self._blocks: dict[tuple[int, torch.dtype], Tensor] = {}

    def block(self, purpose: int, dtype: torch.dtype, length: int) -> Tensor:
        """Return a block to write to."""
        if (purpose, dtype) not in self._blocks:
            self._blocks[purpose, dtype] = torch.empty(block_size(), dtype=dtype)
        return self._blocks[purpose, dtype][:length]

    def blocks(
        self, row: Row, dtype: torch.dtype, exponents: Sequence[int], columns: int
    ) -> Iterator[list[Tensor]]:
        """Cut the leaves of a row into blocks; the first ``columns`` are brought to a dtype.

        Where a leaf has that dtype and is not divided by a power of two, the block is a view. A
        leaf that is ``None`` gives an empty block.
        """
        length = next((x.numel() for x in row if x is not None), 0)
        loads = [
            (j, math.ldexp(1.0, -exponents[j]))
            for j, x in enumerate(row[:columns])
            if x is not None and (x.dtype != dtype or exponents[j])
        ]
        for block in _pieces(row, length, block_size(columns)):
            for j, factor in loads:
                loaded = self.block(j, dtype, block[j].numel()).copy_(block[j])
                block[j] = loaded if factor == 1 else loaded.mul_(factor)
            yield block


_EMPTY = torch.empty(0)


def _pieces(row: Row, length: int, size: int) -> Iterable[list[Tensor]]:
    whole = [_EMPTY if x is None else x for x in row]
    if length <= size:
        return [whole]
    count = -(-length // size)
    split = [[_EMPTY] * count if x is None else torch.split(x, size) for x in row]
    return [[pieces[k] for pieces in split] for k in range(count)]
