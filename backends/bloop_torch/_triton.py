"""The two passes as one kernel launch each, whatever the number of leaves; see ``_kernels``.

A table in int64 goes to the device in one copy:

    weights, R x V    of a combination: the bits of a float64 number, or the address of one
    flags, R          of a combination: addresses of bool scalars
    records           for each leaf: its size, its first block, the address of every column
    blocks            for each block: its leaf

So a pass is a copy, a launch for each combination of dtypes, normally one, and after the inner
products a sum over the blocks and, of what is checked, a comparison. It moves each column that is
read or written once. Nothing is waited for. The blocks are fixed, and so is the order of their sum:
the same bits in place or not, whatever else is running.
"""

import importlib
import importlib.util
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bloop_torch._foreach import Row, device_of, has_float64, size_of, unit_of, unread

MOST_PAIRS = 32
"""Pairs for one launch: a kernel is compiled with a sum for each."""


YES = 0x0101010101010101
"""Eight true values: a flag that comes with the table, where nothing is checked."""


class Group(NamedTuple):
    """Leaves of one combination of dtypes: their blocks, and whether all addresses are aligned."""

    dtypes: tuple[torch.dtype | None, ...]
    first: int
    blocks: int
    aligned: bool


class Table(NamedTuple):
    """What a kernel is to know of all leaves: the table, and where its parts begin."""

    data: Tensor
    records: int
    blocks_at: int
    block: int
    groups: Sequence[Group]

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return sum(group.blocks for group in self.groups)


@cache
def _usable(device: torch.device) -> bool:
    """Whether there is Triton, which is imported at the first launch, and it knows the device."""
    if importlib.util.find_spec("triton") is None:
        return False
    return torch.cuda.get_device_capability(device) >= (7, 0)


def runs_on(device: torch.device) -> bool:
    """Whether the kernels can be launched now.

    Not while a CUDA graph is captured: it would copy the table again at every replay, from memory
    that is the host's own by then.
    """
    if device.type != "cuda" or not _usable(device):
        return False
    return not torch.cuda.is_current_stream_capturing()


def inner_products(
    rows: Sequence[Row], pairs: Sequence[tuple[int, int]], *, check: Sequence[int] = ()
) -> tuple[Tensor, Tensor | int, Tensor]:
    """Return sums of products, the unit, and what is finite; see ``_foreach``."""
    pairs = tuple(pairs)
    factors = sorted({j for pair in pairs for j in pair})
    read = {*factors, *check}
    leaves = [tuple(x if j in read else None for j, x in enumerate(row)) for row in rows]
    table = _table(leaves, [YES])
    unit: Tensor | int = 1
    apart = None
    if table.blocks and has_float64(rows, factors):
        peaks = _partial(table, [(j, j) for j in factors], (), "peaks")
        unit, apart = unit_of(peaks.amax(1))
    kind = "plain" if apart is None else "scaled"
    sums = _partial(table, pairs, check, kind, unit).sum(1)
    total = sums[: len(pairs)]
    if apart is not None:
        total = torch.where(apart, torch.nan, total)
    return total, unit, sums[len(pairs) :] == 0 if check else table.data[:1].view(torch.bool)[:1]


def combine(
    matrix: Sequence[Sequence[Tensor | float]],
    rows: Sequence[Row],
    outs: Sequence[Row],
    *,
    only_if: Sequence[Tensor | bool] = (),
) -> None:
    """Write linear combinations of the vectors of the rows; see ``_foreach``.

    A flag or a weight that is a tensor on the device, of bool or float64, is used where it lies.
    """
    flags = only_if or (True,) * len(matrix)
    read = [any(not unread(weight) for weight in column) for column in zip(*matrix, strict=True)]
    both = [
        tuple(x if used else None for x, used in zip(row, read, strict=True))
        + tuple(None if flag is False else x for x, flag in zip(out, flags, strict=True))
        for row, out in zip(rows, outs, strict=True)
        if any(x is not None for x in out)
    ]
    device = device_of(both)
    # what is used by address must live until the launch
    weights = [[_at_hand(w, device, torch.float64) for w in line] for line in matrix]
    conditions = [_at_hand(flag, device, torch.bool) for flag in flags]
    head = [_slot(x) for x in (*(w for line in weights for w in line), *conditions)]
    table = _table(both, head)
    pattern = tuple(tuple(map(_kind, line)) for line in weights)
    on_device = tuple(isinstance(flag, Tensor) for flag in conditions)
    for group in table.groups:
        _launch(
            "combinations",
            table,
            group,
            DTYPES=group.dtypes[: len(read)],
            OUTS=group.dtypes[len(read) :],
            PATTERN=pattern,
            FLAGS=on_device,
        )


def _partial(
    table: Table,
    pairs: Sequence[tuple[int, int]],
    check: Sequence[int],
    kind: str,
    unit: Tensor | int = 1,
) -> Tensor:
    """Return the sums of every block, a row for each pair, then one for each checked column."""
    data = table.data
    rows = len(pairs) + len(check)
    results = torch.empty((rows, table.blocks), dtype=torch.float64, device=data.device)
    for start in range(0, max(len(pairs), 1), MOST_PAIRS):
        some = tuple(pairs[start : start + MOST_PAIRS])
        last = start + MOST_PAIRS >= len(pairs)
        checked = tuple(check) if last else ()
        needed = {*(j for pair in some for j in pair), *checked}
        for group in table.groups:
            _launch(
                "products",
                table,
                group,
                results[start:],
                table.blocks,
                unit if isinstance(unit, Tensor) else results,
                DTYPES=tuple(d if j in needed else None for j, d in enumerate(group.dtypes)),
                PAIRS=some,
                CHECK=checked,
                PASS=kind,
            )
    return results


def _launch(kernel: str, table: Table, group: Group, *arguments: Any, **constants: Any) -> None:
    """Launch a kernel on a group of leaves: the only place where that is done."""
    kernels = importlib.import_module("bloop_torch._kernels")
    for name in {"DTYPES", "OUTS"} & constants.keys():
        constants[name] = tuple(kernels.KINDS[dtype] for dtype in constants[name])
    device = table.data.device
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        getattr(kernels, kernel)[(group.blocks,)](
            table.data,
            table.records,
            table.blocks_at,
            group.first,
            *arguments,
            **constants,
            ALIGNED=group.aligned,
            BLOCK=table.block,
            enable_fp_fusion=False,
        )


def _table(rows: Sequence[Row], head: Sequence[int] = ()) -> Table:
    """Describe leaves: what a leaf lacks is grouped as if it had the usual dtype."""
    usual = [
        next((x.dtype for x in column if x is not None), None) for column in zip(*rows, strict=True)
    ]
    kinds: dict[tuple[torch.dtype | None, ...], list[list[int]]] = {}
    for row in rows:
        if size := size_of(row):
            dtypes = tuple(d if x is None else x.dtype for x, d in zip(row, usual, strict=True))
            record = [size, 0, *(0 if x is None else x.data_ptr() for x in row)]
            kinds.setdefault(dtypes, []).append(record)
    block = block_size(len(usual))
    records = np.array([r for kind in kinds.values() for r in kind], dtype=np.int64)
    records = records.reshape(-1, len(usual) + 2)
    blocks = -(-records[:, 0] // block)
    ends = np.cumsum(blocks)
    records[:, 1] = ends - blocks
    leaves = np.repeat(np.arange(len(records)), blocks)
    groups, start = [], 0
    for dtypes, kind in kinds.items():
        part = slice(start, start := start + len(kind))
        aligned = not (records[part, 2:] % 16).any()
        groups.append(Group(dtypes, int(records[part, 1][0]), int(blocks[part].sum()), aligned))
    data = _upload(
        np.concatenate([np.array(head, np.int64), records.ravel(), leaves]), device_of(rows)
    )
    return Table(data, len(head), len(head) + records.size, block, groups)


def block_size(columns: int) -> int:
    """Return how many entries of every column a program holds in registers."""
    return max(512, 8192 >> max(columns - 1, 1).bit_length())


def _upload(numbers: "np.ndarray[Any, np.dtype[np.int64]]", device: torch.device) -> Tensor:
    pinned = device.type == "cuda"
    host = torch.empty(len(numbers), dtype=torch.int64, pin_memory=pinned)
    host.numpy()[:] = numbers
    return torch.empty(len(numbers), dtype=torch.int64, device=device).copy_(
        host, non_blocking=True
    )


def _at_hand(value: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """Return a tensor as one scalar on the device, and a number as it is."""
    return value.to(device, dtype) if isinstance(value, Tensor) else value


def _kind(weight: Any) -> int:
    return 2 if isinstance(weight, Tensor) else int(not unread(weight))


def _slot(value: Any) -> int:
    """Return the address of a tensor, or the bits of a number as float64."""
    if isinstance(value, Tensor):
        return value.data_ptr()
    return int(np.float64(value).view(np.int64))
