"""The two passes on CPU memory: most leaves by the kernels that ``bloop_numpy`` has, all at once.

Leaves of half precision, or of several dtypes, go the way of other devices, and their sums are
added.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bloop_numpy import kernels
from bloop_numpy.scale import in_one_scale
from bloop_torch import _foreach
from bloop_torch._leaves import Row, flattened

KINDS = {torch.float32: "float32", torch.float64: "float64"}


@dataclass(frozen=True)
class Work:
    """Tables of leaves for the kernels, each with the addresses of its outputs; and the rest.

    ``kept`` holds the copies that some addresses are of.
    """

    tables: list[tuple[kernels.Table, Sequence[Sequence[int]]]]
    rows: list[Row]
    outs: list[Row]
    kept: list[Row]
    doubles: bool

    def inner_products(
        self, pairs: Sequence[tuple[int, int]], *, check: Sequence[int] = ()
    ) -> tuple[Sequence[float], float, bool]:
        """Return <v_i, v_j> / unit^2, the unit, and whether all that is checked is finite."""
        columns = sorted({j for pair in pairs for j in pair})
        flags = []

        def sums_at(scale: float) -> list[float]:
            found = [
                kernels.inner_products(t, pairs, check=check, scale=scale) for t, _ in self.tables
            ]
            if self.rows:
                sums, unit, finite = _foreach.inner_products(self.rows, pairs, check=check)
                found.append(((sums * (unit * scale) ** 2).tolist(), bool(finite)))
            flags.append(all(finite for _, finite in found))
            totals = zip(*(sums for sums, _ in found), strict=True)
            return [sum(of_pair) for of_pair in totals] or [0.0] * len(pairs)

        def peaks() -> list[float]:
            found = [kernels.largest(t, columns) for t, _ in self.tables]
            found += [[_peak(row[j]) for j in columns] for row in self.rows]
            return [max(of_column, key=_order) for of_column in zip(*found, strict=True)]

        sums, unit = in_one_scale(sums_at, peaks, doubles=self.doubles and bool(pairs))
        return sums, unit, flags[0]

    def combine(self, matrix: Sequence[Sequence[Any]], *, only_if: Sequence[Any]) -> None:
        """Write linear combinations of the columns; see ``_foreach``."""
        written = [i for i, flag in enumerate(only_if) if flag]
        lines = [matrix[i] for i in written]
        if not lines:
            return
        for table, outs in self.tables:
            kernels.combine(lines, table, [outs[i] for i in written])
        if self.rows:
            _foreach.combine(lines, self.rows, [tuple(o[i] for i in written) for o in self.outs])


def prepare(rows: Sequence[Row], outs: Sequence[Row]) -> Work:
    """Sort leaves by who takes them."""
    found: dict[torch.dtype, list[tuple[int, list[int]]]] = {}
    doubles = any(x is not None and x.dtype == torch.float64 for row in rows for x in row)
    work = Work([], [], [], [], doubles)
    for row, out in zip(rows, outs, strict=True):
        whole = (*row, *out)
        leaf = _described(whole)
        if leaf is None and any(x is not None for x in whole):
            whole = flattened(whole)
            leaf = _described(whole)
            work.kept.append(whole)
        if leaf is not None:
            dtype, size, places = leaf
            found.setdefault(dtype, []).append((size, places))
        elif any(x is not None for x in whole):
            work.rows.append(whole[: len(row)])
            work.outs.append(whole[len(row) :])
    for dtype, leaves in found.items():
        sizes, addresses = zip(*leaves, strict=True)
        columns: list[Any] = list(zip(*addresses, strict=True))
        table = kernels.table(columns[: len(rows[0])], sizes, KINDS[dtype])
        work.tables.append((table, columns[len(rows[0]) :]))
    return work


def _peak(leaf: Tensor | None) -> float:
    return 0.0 if leaf is None or not leaf.numel() else leaf.abs().max().item()


def _order(peak: float) -> tuple[bool, float]:
    return peak != peak, peak  # NaN above all


def _described(whole: Row) -> tuple[torch.dtype, int, list[int]] | None:
    """Return dtype, size and addresses of a leaf, if the memory of all tensors is as kernels read.

    So much is asked of every tensor of a model at every step that it is asked in one loop.
    """
    first = next((x for x in whole if x is not None), None)
    if first is None or first.dtype not in KINDS:
        return None
    dtype, places = first.dtype, []
    for x in whole:
        if x is None:
            places.append(0)
        elif x.dtype is dtype and x.is_contiguous() and not x.is_neg():
            places.append(x.data_ptr())
        else:
            return None
    return dtype, first.numel(), places
