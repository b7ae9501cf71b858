"""Small leaves laid end to end, so that one operation serves many of them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from bloop_torch._leaves import Row

SMALL = 1 << 13
"""Entries below which calling an operation costs more than copying the leaf."""

CAPACITY = 1 << 18
"""Entries of a pack at most."""


class Store(NamedTuple):
    """Leaves of an output, and the packed one that they are parts of."""

    leaves: list[Tensor]
    source: Tensor

    def __call__(self) -> None:
        """Give every leaf its part."""
        sizes = [leaf.numel() for leaf in self.leaves]
        torch.split_with_sizes_copy(self.source, sizes, out=self.leaves)


class Packed(NamedTuple):
    """Rows and outputs with packed leaves, and what is to be done when the outputs are there."""

    rows: list[Row]
    outs: list[Row]
    stores: list[Store]


def packed(rows: Sequence[Row], outs: Sequence[Row]) -> Packed:
    """Return rows (g_main, g_aux, ema) and outputs, small flat float32 leaves packed.

    The outputs of packed leaves are packed in the memory of their g_aux and ema. Leaves that have
    no more room in the pack stay as they are, so that what is allocated does not grow with them.
    """
    result = Packed([], [], [])
    members: list[tuple[Row, Row]] = []
    room = CAPACITY
    for row, out in zip(rows, outs, strict=True):
        first = row[0]
        if first is not None and first.numel() <= min(SMALL, room) and _alike((*row, *out)):
            members.append((row, out))
            room -= first.numel()
        else:
            result.rows.append(row)
            result.outs.append(out)
    if members:
        _close(members, result)
    return result


def _alike(leaves: Row) -> bool:
    """Whether all leaves are there, in the dtype that most are."""
    return all(x is not None and x.dtype == torch.float32 for x in leaves)


def _close(members: Sequence[tuple[Row, Row]], result: Packed) -> None:
    """Add the packed row of some leaves to a result."""
    rows, outs = zip(*members, strict=True)
    whole = tuple(torch.cat(column) for column in zip(*rows, strict=True))
    targets = [list(column) for column in zip(*outs, strict=True)]
    sources = whole[len(whole) - len(targets) :]
    result.rows.append(whole)
    result.outs.append(sources)
    result.stores.extend(map(Store, targets, sources))
