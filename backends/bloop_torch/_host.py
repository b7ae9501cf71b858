"""The two passes on CPU memory: most leaves by the kernels that ``bloop_numpy`` has, all at once.

Leaves of half precision, or of several dtypes, go the way of other devices, and their sums are
added.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bloop_numpy import kernels
from bloop_numpy.scale import in_one_scale
from bloop_torch import _foreach
from bloop_torch._leaves import Alike, Row, alike, flattened

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
    ) -> tuple[Sequence[float], float, list[bool]]:
        """Return <v_i, v_j> / unit^2, the unit, and for each checked column if it is finite."""
        columns = sorted({j for pair in pairs for j in pair})
        flags: list[list[bool]] = []

        def sums_at(scale: float) -> list[float]:
            found = []
            for table, _ in self.tables:
                there = table.addresses != 0
                looked = [c for c in check if not _shown(there, c, pairs)]
                own, fine = kernels.inner_products(table, pairs, check=looked, scale=scale)
                found.append((own, fine and all(map(math.isfinite, own))))
            flags.append(self._finite(check, [finite for _, finite in found]))
            if self.rows:
                sums, unit, finite = _foreach.inner_products(self.rows, pairs, check=check)
                found.append(((sums * (unit * scale) ** 2).tolist(), True))
                flags[-1] = [x and y for x, y in zip(flags[-1], finite.tolist(), strict=False)]
            totals = zip(*(sums for sums, _ in found), strict=True)
            return [sum(of_pair) for of_pair in totals] or [0.0] * len(pairs)

        def peaks() -> list[float]:
            found = [kernels.largest(t, columns) for t, _ in self.tables]
            found += [[_peak(row[j]) for j in columns] for row in self.rows]
            return [max(of_column, key=_order) for of_column in zip(*found, strict=True)]

        sums, unit = in_one_scale(sums_at, peaks, doubles=self.doubles and bool(pairs))
        return sums, unit, flags[0]

    def _finite(self, check: Sequence[int], tables: Sequence[bool]) -> list[bool]:
        """Return for each column whether it is finite; which are not takes another look."""
        bad = [t for (t, _), finite in zip(self.tables, tables, strict=True) if not finite]
        peaks = [kernels.largest(t, check) for t in bad]
        return [all(math.isfinite(p[c]) for p in peaks) for c in range(len(check))]

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


def prepare(rows: Sequence[Row], outs: Sequence[Row], known: Sequence[Alike | None]) -> Work:
    """Sort leaves by who takes them; what is known of the rows is not asked again."""
    found: dict[torch.dtype, list[tuple[int, list[int]]]] = {}
    work = Work([], [], [], [], any(map(_has_doubles, rows, known)))
    for row, out, seen in zip(rows, outs, known, strict=True):
        whole = (*row, *out)
        places = _places(seen, out)
        if places is None and any(x is not None for x in whole):
            whole = flattened(whole)
            seen, out = alike(whole), ()
            places = _places(seen, out)
            work.kept.append(whole)
        if seen is not None and seen.dtype is not None and places is not None:
            found.setdefault(seen.dtype, []).append((seen.size, places))
        elif any(x is not None for x in whole):
            work.rows.append(whole[: len(row)])
            work.outs.append(whole[len(row) :])
    for dtype, leaves in found.items():
        sizes, addresses = zip(*leaves, strict=True)
        columns: list[Any] = list(zip(*addresses, strict=True))
        table = kernels.table(columns[: len(rows[0])], sizes, KINDS[dtype])
        work.tables.append((table, columns[len(rows[0]) :]))
    return work


def _shown(there: Any, column: int, pairs: Sequence[tuple[int, int]]) -> bool:
    """Whether a sum of products has every entry of a column, and so is finite only if they are."""
    partners = [i + j - column for i, j in pairs if column in (i, j)]
    return any((there[partner] >= there[column]).all() for partner in partners)


def _has_doubles(row: Row, seen: Alike | None) -> bool:
    if seen is not None and seen.dtype is not None:
        return seen.dtype is torch.float64
    return any(x is not None and x.dtype in (torch.float64, torch.complex128) for x in row)


def _places(seen: Alike | None, out: Row) -> list[int] | None:
    """Return the addresses of a row and its outputs, if the kernels take all of them."""
    if seen is None or seen.dtype not in KINDS:
        return None
    places = list(seen.addresses)
    for x in out:
        if x is None:
            places.append(0)
        elif x.dtype is seen.dtype and x.is_contiguous():
            places.append(x.data_ptr())
        else:
            return None
    return places


def _peak(leaf: Tensor | None) -> float:
    return 0.0 if leaf is None or not leaf.numel() else leaf.abs().max().item()


def _order(peak: float) -> tuple[bool, float]:
    return peak != peak, peak  # NaN above all
