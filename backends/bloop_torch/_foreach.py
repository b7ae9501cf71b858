"""The two passes in operations on whole lists, whose number does not grow with that of the leaves.

For devices without kernels of their own: no value is read. Leaves of one kind are joined, or cut,
to batches of ``PIECE`` entries: PyTorch adds up no list of tensors at once, and a sum for each leaf
would be a launch for each. So a pass holds about ``PIECE`` float64 numbers for each vector and
output, whatever the size of the model.

A device without float64 (``mps``) computes in float32, with sums in blocks: there the squares of
entries must be normal numbers of that dtype, sizes from about 1e-19 to 1e19.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from bloop_ref.gramian import MOST_APART

Row = tuple[Tensor | None, ...]

PIECE = 1 << 20
"""Entries that are worked on at a time."""

BLOCK = 1 << 12
"""Entries that one thread adds up; so few sums are left that one thread adds them up too."""


def inner_products(
    rows: Sequence[Row], pairs: Sequence[tuple[int, int]], *, check: Sequence[int] = ()
) -> tuple[Tensor, Tensor | int, Tensor]:
    """Return <v_i, v_j> / unit^2 for some pairs of columns, the unit, and what is finite.

    Args:
        rows: for each leaf one flat real tensor of each vector; ``None`` is an exact zero.
        pairs: the columns to multiply.
        check: the columns of which is asked whether all entries are finite.

    Returns:
        The sums in float64; the unit, the integer 1 where no factor is float64, else ``unit_of``;
        a flag for each of ``check``, or one that is true. They are tensors that nobody waits for.
    """
    read = sorted({j for pair in pairs for j in pair})
    batches = list(_batches(rows))
    device = device_of(rows)
    zero = torch.zeros((), dtype=widest(device), device=device)
    scale = unit_of(_peaks(batches, read, zero)) if has_float64(rows, read) else None
    parts = [[zero] for _ in pairs]
    flags = [[torch.ones((), dtype=torch.bool, device=device)] for _ in check or (None,)]
    for batch in batches:
        for flag, j in zip(flags, check, strict=False):
            if batch[0][j] is not None:
                flag.append(torch.isfinite(_joined(batch, j)).all())
        columns = _wide_columns(batch, read)
        if scale is not None:
            columns = {j: x * (1 / scale[0]) for j, x in columns.items()}
        for part, (i, j) in zip(parts, pairs, strict=True):
            if i in columns and j in columns:
                part.append(_sum(columns[i] * columns[j]))
    sums = [torch.stack(part).sum() for part in parts]
    total = torch.stack(sums) if sums else torch.zeros(0, dtype=widest(device), device=device)
    finite = torch.stack([torch.stack(flag).all() for flag in flags])
    if scale is None:
        return total, 1, finite
    return torch.where(scale[1], torch.nan, total), scale[0], finite


def combine(
    matrix: Sequence[Sequence[Tensor | float]],
    rows: Sequence[Row],
    outs: Sequence[Row],
    *,
    only_if: Sequence[Tensor | bool] = (),
) -> None:
    """Write out_r = sum_j matrix[r][j] v_j, in float64 arithmetic, rounded once to its dtype.

    Args:
        matrix: a row of weights for each output; the integer 0 leaves its column unread.
        rows: for each leaf one flat real tensor of each vector; ``None`` is an exact zero.
        outs: for each leaf where the outputs go, ``None`` for nowhere. An output may take the
            memory of a vector of the same leaf.
        only_if: for each output a flag, without which it stays as it was.
    """
    flags = only_if or (True,) * len(matrix)
    read = sorted({j for line in matrix for j, weight in enumerate(line) if not unread(weight)})
    for batch in _batches([(*row, *out) for row, out in zip(rows, outs, strict=True)]):
        columns = _wide_columns(batch, read)
        results: list[tuple[Tensor, list[Tensor]]] = []
        for line, flag, r in zip(matrix, flags, range(-len(matrix), 0), strict=True):
            targets = _leaves(batch, r)
            if not targets or flag is False:
                continue
            result = rounded(_weighted(line, columns, targets), targets[0].dtype)
            if isinstance(flag, Tensor):
                result = torch.where(flag.to(result.device), result, _joined(batch, r))
            results.append((result, targets))
        for result, targets in results:
            _write(result, targets)


def _weighted(
    line: Sequence[Tensor | float], columns: Mapping[int, Tensor], targets: Sequence[Tensor]
) -> Tensor:
    """Return a weighted sum in memory of its own."""
    total: Tensor | None = None
    for j, weight in enumerate(line):
        if unread(weight) or j not in columns:
            continue
        x = columns[j]
        term = x * (weight.to(x.device, x.dtype) if isinstance(weight, Tensor) else weight)
        total = term if total is None else total + term
    if total is not None:
        return total
    size, device = sum(x.numel() for x in targets), targets[0].device
    return torch.zeros(size, dtype=widest(device), device=device)


def _write(result: Tensor, targets: list[Tensor]) -> None:
    if len(targets) == 1:
        targets[0].copy_(result)
    else:
        torch._foreach_copy_(targets, torch.split(result, [x.numel() for x in targets]))


def _batches(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Group leaves by their dtypes, and cut the groups to at most ``PIECE`` entries."""
    groups: dict[tuple[torch.dtype | None, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(None if x is None else x.dtype for x in row), []).append(row)
    for group in groups.values():
        yield from _cut(group)


def _cut(rows: list[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    room = PIECE
    for row in rows:
        size, start = size_of(row), 0
        while start < size:
            end = min(start + room, size)
            batch.append(tuple(None if x is None else x[start:end] for x in row))
            room, start = room - (end - start), end
            if not room:
                yield batch
                batch, room = [], PIECE
    if batch:
        yield batch


def _joined(batch: Sequence[Row], j: int) -> Tensor:
    column = _leaves(batch, j)
    return column[0] if len(column) == 1 else torch.cat(column)


def _leaves(batch: Sequence[Row], j: int) -> list[Tensor]:
    return [x for x in [row[j] for row in batch] if x is not None]


def _wide_columns(batch: Sequence[Row], read: Sequence[int]) -> dict[int, Tensor]:
    """Return the columns that are not zero."""
    columns = {j: _joined(batch, j) for j in read if batch[0][j] is not None}
    return {j: x.to(widest(x.device)) for j, x in columns.items()}


def _sum(x: Tensor) -> Tensor:
    rest = -x.numel() % BLOCK
    whole = torch.nn.functional.pad(x, (0, rest)) if rest else x
    return whole.view(-1, BLOCK).sum(1).sum()


def _peaks(batches: Sequence[Sequence[Row]], read: Sequence[int], zero: Tensor) -> Tensor:
    """Return the largest absolute entry of every column that is read."""
    peaks = [[zero] for _ in read]
    for batch in batches:
        for j, x in _wide_columns(batch, read).items():
            peaks[read.index(j)].append(x.abs().amax())
    return torch.stack([torch.stack(peak).amax() for peak in peaks])


def size_of(row: Row) -> int:
    """Return how many entries the leaves of a row have."""
    return next((x.numel() for x in row if x is not None), 0)


def device_of(rows: Sequence[Row]) -> torch.device:
    """Return the device of all leaves, the CPU if there are none."""
    return next((x.device for row in rows for x in row if x is not None), torch.device("cpu"))


def widest(device: torch.device) -> torch.dtype:
    """Return the widest floating dtype of a device."""
    return torch.float32 if device.type == "mps" else torch.float64


def has_float64(rows: Sequence[Row], columns: Sequence[int]) -> bool:
    """Whether sums of products of some columns may leave the range of float64."""
    return any(
        x is not None and x.dtype == torch.float64
        for row in rows
        for x in map(row.__getitem__, columns)
    )


def unread(weight: Tensor | float) -> bool:
    """Whether a weight is the integer 0, which leaves its column unread."""
    return type(weight) is int and weight == 0


def unit_of(peaks: Tensor) -> tuple[Tensor, Tensor]:
    """Return the power of two to measure vectors in, and whether they lie too far apart for any.

    It is 2^floor(log2 p) for the largest entry p, but no less than the least normal number, and 1
    where p is 0 or not finite. Two vectors, neither zero, lie too far apart if the largest entry of
    one exceeds that of the other by more than a factor ``MOST_APART``.
    """
    largest = peaks.amax()
    usable = torch.isfinite(largest) & (largest > 0)
    power = (largest.view(torch.int64) & (0x7FF << 52)).view(torch.float64)
    smallest = torch.where(peaks > 0, peaks, torch.inf).amin()
    unit = torch.where(usable, power.clamp(min=2.0**-1022), 1.0)
    return unit, usable & (largest / smallest > MOST_APART)


def rounded(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Round to a dtype once: PyTorch goes from float64 to a half precision by way of float32.

    Rounding to odd on that way, up or down to a last bit of 1, leaves the second rounding right.
    """
    if x.dtype != torch.float64 or dtype in (torch.float64, torch.float32):
        return x.to(dtype)
    near = x.to(torch.float32)
    error = x - near.to(torch.float64)
    bits = near.view(torch.int32)
    step = torch.where((error > 0) == (x > 0), 1, -1)
    inexact = (error.abs() > 0) & (bits & 1 == 0)
    return (bits + torch.where(inexact, step, 0).to(torch.int32)).view(torch.float32).to(dtype)
