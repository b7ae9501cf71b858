"""Vectors of one model as columns of flat local leaves, and the two primitives on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from bloop_torch import _blocked, _fused, _traced
from bloop_torch._leaves import Row, flattened
from bloop_torch._packed import Store, packed
from bloop_torch._shards import Axes, axes_of, local, summed

Pairs = Sequence[tuple[int, int]]
Scalar = Any
"""A Python float on the CPU; a float64 scalar tensor where values are not read."""


def _can_be_read(rows: Sequence[Row]) -> bool:
    """Whether reading a value costs no waiting: on the CPU, outside of a compiler."""
    firsts = (next((x for x in row if x is not None), None) for row in rows)
    on_cpu = all(x is None or x.device.type == "cpu" for x in firsts)
    return on_cpu and not torch.compiler.is_compiling()


@dataclass(frozen=True)
class Columns:
    """Vectors side by side: one row of flat leaves per parameter, and where each is sharded.

    ``outs`` are the leaves of the outputs, in rows alike.
    """

    rows: list[Row]
    outs: list[Row]
    axes: list[Axes]
    engine: ModuleType
    stores: Sequence[Store] = ()

    @classmethod
    def of(cls, rows: Sequence[Row], outs: Sequence[Row], *, fused: bool = False) -> "Columns":
        """Flatten the local parts of some rows of tensors, which are placed alike.

        ``fused`` chooses compiled passes where values can be read.
        """
        axes = [axes_of(next((x for x in row if x is not None), None)) for row in rows]
        flat = [
            flattened(tuple(map(local, (*row, *out)))) for row, out in zip(rows, outs, strict=True)
        ]
        width = len(rows[0]) if rows else 0
        flat_rows, flat_outs = [row[:width] for row in flat], [row[width:] for row in flat]
        if not _can_be_read(flat):
            return cls(flat_rows, flat_outs, axes, _traced)
        if fused or any(axes):
            return cls(flat_rows, flat_outs, axes, _fused if fused else _blocked)
        together = packed(flat_rows, flat_outs)
        whole: list[Axes] = [()] * len(together.rows)
        return cls(together.rows, together.outs, whole, _blocked, together.stores)

    @property
    def readable(self) -> bool:
        """Whether the values of scalars may be read without waiting for a device."""
        return self.engine is not _traced

    def combine(
        self,
        matrix: Sequence[Sequence[Scalar]],
        *,
        exponents: Sequence[int] = (),
        units: Sequence[Sequence[int]] = (),
        only_if: Sequence[Scalar] = (),
    ) -> None:
        """Write every output as the linear combination that its row of the matrix says.

        Args:
            matrix: coefficients for the columns in units of 2**exponents[j].
            exponents: what ``inner_products`` returned.
            units: for each output, the powers of two that its coefficients are still to take.
            only_if: for each output a flag without which it stays as it was.
        """
        self.engine.combine(
            matrix, self.rows, self.outs, exponents=exponents, units=units, only_if=only_if
        )
        for store in self.stores:
            store()

    def column(self, j: int, axes: Axes | None = None) -> list[Tensor | None]:
        """Return the leaves of a vector; those with given axes only, if such are given."""
        return [
            row[j]
            for row, there in zip(self.rows, self.axes, strict=True)
            if axes is None or there == axes
        ]

    def inner_products(
        self, pairs: Pairs, *, check: Sequence[int] = ()
    ) -> tuple[list[Scalar], tuple[int, ...], Scalar]:
        """Return inner products, the exponents of the columns, and whether some are finite.

        Column j was measured in units of 2**exponents[j]; see ``_blocked``.

        Args:
            pairs: the columns to multiply.
            check: columns whose entries must be finite for the flag to be true.
        """
        if not any(self.axes):
            totals, exponents = self.engine.inner_products(self.rows, pairs)
            return totals, exponents, self._finite(check)
        sums = {axes: self._sums(pairs, check, axes) for axes in dict.fromkeys(self.axes)}
        *totals, bad = summed(sums).unbind()
        exponents = (0,) * len(self.rows[0])
        if self.readable:
            return [total.item() for total in totals], exponents, not bad.item()
        return totals, exponents, bad == 0

    def _sums(self, pairs: Pairs, check: Sequence[int], axes: Axes) -> Tensor:
        """Return this process's inner products of some leaves, and 1 if they are not finite."""
        rows = [row for row, there in zip(self.rows, self.axes, strict=True) if there == axes]
        totals, _ = self.engine.inner_products(rows, pairs, scaled=False)
        flag = self._finite(check, axes)
        device = next((x.device for row in rows for x in row if x is not None), None)
        wide = torch.float64 if device is None else _traced.widest(device)
        scalars = [*totals, ~flag if isinstance(flag, Tensor) else not flag]
        return torch.stack([torch.as_tensor(s, dtype=wide, device=device) for s in scalars])

    def _finite(self, check: Sequence[int], axes: Axes | None = None) -> Scalar:
        flags = [self.engine.finite(self.column(j, axes)) for j in check]
        if self.readable:
            return all(flags)
        return torch.stack(flags).all() if flags else torch.ones((), dtype=torch.bool)
