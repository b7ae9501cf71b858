"""The two primitives without reading a value: for ``torch.compile``, and for other devices.

Whole expressions that a compiler fuses into two passes over memory. Run eagerly on a GPU they go
block by block, so that what they allocate for a moment stays small. Inner products accumulate in
float64; on the CPU, where that is slow, and on devices without it, in float32 within blocks. There
the squares of float32 entries must be normal numbers of that dtype: sizes from 1e-19 to 1e19.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from bloop_torch._leaves import Row

BLOCK = 1 << 12
"""Entries that float32 sums are trusted with."""

PIECE = 1 << 22
"""Entries that are worked on at a time where nothing is compiled."""

Scalar = Tensor | float | int


def inner_products(
    rows: Sequence[Row], pairs: Sequence[tuple[int, int]], *, scaled: bool = True
) -> tuple[list[Tensor], tuple[int, ...]]:
    """Return the inner products of some pairs of columns, as float64 scalars; see ``_blocked``.

    Nothing is ever scaled, so that the exponents that are returned are all 0.
    """
    del scaled
    columns = len(rows[0]) if rows else 0
    present = [x for row in rows for x in row if x is not None]
    totals = []
    for i, j in pairs:
        parts = [
            _dot(x, y)
            for row in rows
            for x, y in _pieces((row[i], row[j]))
            if x is not None and y is not None
        ]
        total = parts[0] if parts else torch.zeros((), device=present[0].device)
        for part in parts[1:]:
            total = total + part.to(total.device)
        totals.append(total.to(widest(total.device)))
    return totals, (0,) * columns


def widest(device: torch.device) -> torch.dtype:
    """Return the widest floating dtype of a device."""
    return torch.float32 if device.type == "mps" else torch.float64


def _dot(x: Tensor, y: Tensor) -> Tensor:
    wide = widest(x.device)
    if torch.float64 in (x.dtype, y.dtype) or (x.device.type != "cpu" and wide == torch.float64):
        return (x.to(wide) * y.to(wide)).sum()
    x, y = x.float(), y.float()
    whole = x.numel() // BLOCK * BLOCK
    if not whole:
        return (x * y).sum().to(wide)
    total = (x[:whole].view(-1, BLOCK) * y[:whole].view(-1, BLOCK)).sum(1).to(wide).sum()
    if whole == x.numel():
        return total
    return total + (x[whole:] * y[whole:]).sum().to(wide)


def _pieces(row: Row) -> Iterator[Row]:
    """Cut a row into pieces, unless a compiler needs none."""
    size = next((x.numel() for x in row if x is not None), 0)
    if torch.compiler.is_compiling() or size <= PIECE:
        yield row
        return
    split = [None if x is None else torch.split(x, PIECE) for x in row]
    for k in range(-(-size // PIECE)):
        yield tuple(None if pieces is None else pieces[k] for pieces in split)


def finite(column: Sequence[Tensor | None]) -> Tensor:
    """Return whether every entry of a column is finite, as a scalar that nobody waits for."""
    flags = [torch.isfinite(x).all() for x in column if x is not None]
    if not flags:
        return torch.ones((), dtype=torch.bool)
    return torch.stack([flag.to(flags[0].device) for flag in flags]).all()


def combine(
    matrix: Sequence[Sequence[Scalar]],
    rows: Sequence[Row],
    outs: Sequence[Row],
    *,
    exponents: Sequence[int] = (),
    units: Sequence[Sequence[int]] = (),
    only_if: Sequence[Tensor | bool] = (),
) -> None:
    """Write the linear combinations of the columns that the rows of a matrix say; see ``_blocked``.

    A flag of ``only_if`` that is a tensor is not read: what is kept is chosen entry by entry.
    """
    del exponents, units  # nothing is ever scaled here
    flags = only_if or (True,) * len(matrix)
    for row, out in zip(rows, outs, strict=True):
        columns = len(row)
        for piece in _pieces((*row, *out)):
            leaves, targets = piece[:columns], piece[columns:]
            results = [
                None if target is None or flag is False else _weighted_sum(line, leaves, target)
                for line, target, flag in zip(matrix, targets, flags, strict=True)
            ]
            for target, result, flag in zip(targets, results, flags, strict=True):
                if target is not None and result is not None:
                    keep = flag.to(target.device) if isinstance(flag, Tensor) else None
                    target.copy_(result if keep is None else torch.where(keep, result, target))


def _weighted_sum(coefficients: Sequence[Scalar], leaves: Row, target: Tensor) -> Tensor:
    """Return one linear combination, rounded to the dtype of its target at the end."""
    wide = any(x is not None and x.dtype == torch.float64 for x in (*leaves, target))
    dtype = torch.float64 if wide else torch.float32
    total: Tensor | None = None
    for coefficient, x in zip(coefficients, leaves, strict=True):
        if x is None or (type(coefficient) is int and coefficient == 0):
            continue
        term = x.to(dtype)
        if isinstance(coefficient, Tensor):
            term = term * coefficient.to(device=x.device, dtype=dtype)
        elif coefficient != 1:
            term = term * coefficient
        total = term if total is None else total + term
    return torch.zeros_like(target) if total is None else total.to(target.dtype)
