"""Vectors of one model side by side, and the two passes over them, on whatever memory they lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bloop_ref.gramian import Gramian, Pairs
from bloop_torch import _foreach, _host, _triton
from bloop_torch._leaves import Alike, Row, alike, flattened
from bloop_torch._shards import Axes, axes_of, local, summed

Scalar = Any
"""A Python float on the CPU; a float64 scalar tensor where values are not read."""


@dataclass(frozen=True)
class Calls:
    """The passes of an engine that keeps nothing from one to the other."""

    engine: Any
    rows: list[Row]
    outs: list[Row]

    def inner_products(self, pairs: Pairs, *, check: Sequence[int]) -> Any:
        """Return sums, their unit, and for each checked column whether it is finite."""
        return self.engine.inner_products(self.rows, pairs, check=check)

    def combine(self, matrix: Sequence[Sequence[Scalar]], *, only_if: Sequence[Scalar]) -> None:
        """Write linear combinations."""
        self.engine.combine(matrix, self.rows, self.outs, only_if=only_if)


class Stack:
    """One row of local leaves per parameter, and where each is spread over processes.

    ``outs`` are the leaves of the outputs, in rows alike, and may be those of the vectors.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        outs: Sequence[Row],
        known: Sequence[Alike | None] | None = None,
    ) -> None:
        """Take the local parts of some rows of tensors, which are placed alike.

        What is known of the rows is not asked again.
        """
        known = [alike(row) for row in rows] if known is None else known
        self.axes = [
            () if seen else axes_of(next((x for x in row if x is not None), None))
            for row, seen in zip(rows, known, strict=True)
        ]
        if any(self.axes):
            rows, outs = ([tuple(map(local, row)) for row in part] for part in (rows, outs))
            known = [alike(row) for row in rows]
        self.rows, self.outs = rows, outs
        self.engine = _engine_for(rows)
        self.work = self._prepared(rows, outs, known)

    @property
    def readable(self) -> bool:
        """Whether the values of scalars may be read without waiting for a device."""
        return self.engine is _host

    def _prepared(
        self, rows: Sequence[Row], outs: Sequence[Row], known: Sequence[Alike | None]
    ) -> Any:
        if self.readable:
            return _host.prepare(rows, outs, known)
        flat = [
            # kernels take addresses; operations on lists need one dimension
            (*row, *out)
            if self.engine is _triton and seen is not None and _in_order(out)
            else flattened((*row, *out))
            for row, out, seen in zip(rows, outs, known, strict=True)
        ]
        width = len(rows[0]) if rows else 0
        return Calls(self.engine, [row[:width] for row in flat], [row[width:] for row in flat])

    def gramian(
        self, pairs: Pairs, *, check: Sequence[int] = ()
    ) -> tuple[Gramian, Tensor | list[bool]]:
        """Return inner products, and for each of some vectors whether every entry is finite.

        What is spread over processes is summed by one all-reduce for each group of them.
        """
        if any(self.axes):
            sums, unit, finite = self._reduced(pairs, check)
        else:
            sums, unit, finite = self.work.inner_products(pairs, check=check)
        entries = dict(zip(pairs, sums, strict=True))
        size = len(self.rows[0]) if self.rows else 0
        return Gramian(entries, size, unit=unit, spacing=self._spacing), finite

    def combine(self, matrix: Sequence[Sequence[Scalar]], *, only_if: Sequence[Scalar]) -> None:
        """Write every output as the linear combination that its row of the matrix says.

        Args:
            matrix: the weights; the integer 0 leaves a vector unread.
            only_if: for each output a flag without which it stays as it was.
        """
        self.work.combine(matrix, only_if=only_if)

    @property
    def _spacing(self) -> float:
        dtypes = {x.dtype for row in self.rows for x in row if x is not None}
        return max((torch.finfo(dtype).eps for dtype in dtypes), default=0.0)

    def _reduced(
        self, pairs: Pairs, check: Sequence[int]
    ) -> tuple[Any, Scalar, Tensor | list[bool]]:
        """Return sums over all processes, in the vectors' own unit."""
        parts = {axes: self._part(pairs, check, axes) for axes in dict.fromkeys(self.axes)}
        total = summed(parts)
        sums, bad = total[: len(pairs)], total[len(pairs) :]
        if self.readable:
            return sums.tolist(), 1, [x == 0 for x in bad.tolist()]
        return sums, 1, bad == 0

    def _part(self, pairs: Pairs, check: Sequence[int], axes: Axes) -> Tensor:
        """Return this process's sums over some leaves, and 1 for each that is not finite."""
        rows = [row for row, there in zip(self.rows, self.axes, strict=True) if there == axes]
        work = self._prepared(rows, [() for _ in rows], [alike(row) for row in rows])
        sums, unit, finite = work.inner_products(pairs, check=check)
        device = next((x.device for row in rows for x in row if x is not None), None)
        wide = torch.float64 if device is None else _foreach.widest(device)
        inner, flags = (torch.as_tensor(x, dtype=wide, device=device) for x in (sums, finite))
        true = inner * unit * unit
        # what only its unit keeps from underflowing is out of reach here, and shows
        true = torch.where((true == 0) & (inner != 0), torch.nan, true)
        return torch.cat([true, 1 - flags])


def _in_order(out: Row) -> bool:
    return all(x is None or x.is_contiguous() for x in out)


def _engine_for(rows: Sequence[Row]) -> Any:
    """Return what makes the two passes over leaves on the device that they are on."""
    device = next((x.device for row in rows for x in row if x is not None), None)
    if device is None or device.type == "cpu":
        return _host
    return _triton if _triton.runs_on(device) else _foreach
