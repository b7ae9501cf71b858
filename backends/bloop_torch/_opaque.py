"""The step on the CPU as one operator, which ``torch.compile`` does not look into.

A program that spells every leaf out takes a compiler a second per leaf. Where there are many the
operator hides them, and does what the step does when nothing is compiled.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from bloop_torch._coefficients import scalar
from bloop_torch._columns import Columns
from bloop_torch._leaves import Row, check_rows
from bloop_torch._plain import NAMES, take_step
from bloop_torch._shards import is_sharded

ABSENT = -1
"""The place of a leaf that is ``None``."""

FEW = 16
"""Leaves that a compiler may be given."""


def too_many(rows: Sequence[Row]) -> bool:
    """Whether a compiler is to be spared some leaves, all of them whole and on the CPU."""
    if len(rows) <= FEW:
        return False
    for row in rows:
        for x in row:
            if x is not None and (x.device.type != "cpu" or is_sharded(x)):
                return False
    return True


def call_hidden(
    rows: Sequence[Row], outs: Sequence[Row], lam: float | Tensor, rho: float | Tensor
) -> None:
    """Take a step while a program is compiled.

    No tensor may be given to an operator twice, so it takes each once and numbers for where it is.
    """
    reads: list[Tensor] = []
    writes: list[Tensor] = []
    places: list[int] = []
    for row, (direction, average) in zip(rows, outs, strict=True):
        to_direction = _place(direction, writes, odd=1)
        to_average = _place(average, writes, odd=1)
        for x in row:
            if x is not None and x is direction:
                places.append(to_direction)
            elif x is not None and x is average:
                places.append(to_average)
            else:
                places.append(_place(x, reads, odd=0))
        places += [to_direction, to_average]
    one = torch.ones((), dtype=torch.float64, device="cpu")
    # a number would be part of the program, and another number need another one
    scalars = scalar(lam, one), scalar(rho, one)
    torch.ops.bloop_torch.hidden_step(reads, writes, places, *scalars)


def _place(leaf: Tensor | None, group: list[Tensor], *, odd: int) -> int:
    """Return the number of a leaf that joins a group: even for reads, odd for writes."""
    if leaf is None:
        return ABSENT
    group.append(leaf)
    return 2 * len(group) - 2 + odd


@torch.library.custom_op("bloop_torch::hidden_step", mutates_args=("writes",))
def _hidden_step(
    reads: list[Tensor], writes: list[Tensor], places: list[int], lam: Tensor, rho: Tensor
) -> None:
    rows, outs = _placed(reads, writes, places)
    with torch.no_grad():
        take_step(Columns.of(rows, outs), lam.item(), rho.item())


@_hidden_step.register_fake
def _(
    reads: list[Tensor], writes: list[Tensor], places: list[int], lam: Tensor, rho: Tensor
) -> None:
    rows, _ = _placed(reads, writes, places)
    check_rows(rows, NAMES)


def _placed(
    reads: list[Tensor], writes: list[Tensor], places: list[int]
) -> tuple[list[Row], list[Row]]:
    """Return the rows and outputs that places stand for."""
    leaves = [
        None if place == ABSENT else (writes if place % 2 else reads)[place // 2]
        for place in places
    ]
    width = len(NAMES) + 2
    starts = range(0, len(leaves), width)
    rows: list[Row] = [tuple(leaves[k : k + len(NAMES)]) for k in starts]
    outs: list[Row] = [tuple(leaves[k + len(NAMES) : k + width]) for k in starts]
    return rows, outs
