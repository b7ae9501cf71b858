"""The pure step on rows of tensors; to a compiler one operator, which it does not look into.

A program that spells every leaf out takes a compiler a second per leaf, and is no faster than the
kernels, which take all of them at once.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from bloop_ref import Bloop
from bloop_torch._leaves import Alike, Row, check_rows
from bloop_torch._stack import Stack

NAMES = ("g_main", "g_aux", "ema")
ABSENT = -1
"""The place of a leaf that is ``None``."""


def write_step(
    rows: Sequence[Row],
    outs: Sequence[Row],
    lam: float | Tensor,
    rho: float | Tensor,
    known: Sequence[Alike | None] | None = None,
) -> None:
    """Write the direction and the next average of rows (g_main, g_aux, ema)."""
    stack, method = Stack(rows, outs, known), Bloop(lam, rho)
    gram, _ = stack.gramian(method.pairs(2))
    matrix, _ = method.matrix(gram)
    stack.combine(matrix, only_if=(True, True))


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
    # a number would be part of the program, and another number need another one
    scalars = (torch.ones((), dtype=torch.float64) * value for value in (lam, rho))
    torch.ops.bloop_torch.step(reads, writes, places, *scalars)


def _place(leaf: Tensor | None, group: list[Tensor], *, odd: int) -> int:
    """Return the number of a leaf that joins a group: even for reads, odd for writes."""
    if leaf is None:
        return ABSENT
    group.append(leaf)
    return 2 * len(group) - 2 + odd


@torch.library.custom_op("bloop_torch::step", mutates_args=("writes",))
def _step(
    reads: list[Tensor], writes: list[Tensor], places: list[int], lam: Tensor, rho: Tensor
) -> None:
    rows, outs = _placed(reads, writes, places)
    numbers = [x.item() if x.device.type == "cpu" else x for x in (lam, rho)]
    with torch.no_grad():
        write_step(rows, outs, numbers[0], numbers[1])


@_step.register_fake
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
