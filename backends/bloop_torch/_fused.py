"""The two primitives on the CPU, each compiled into one pass over memory, for a few large leaves.

Whole expressions of ``_traced``, whose scalars are read. Whatever float32 has not the range for
goes the way of ``_blocked``.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from bloop_torch import _blocked, _traced
from bloop_torch._blocked import Pairs, finite
from bloop_torch._leaves import Row
from bloop_torch._program import fit

__all__ = ["combine", "finite", "inner_products"]


def inner_products(
    rows: Sequence[Row], pairs: Pairs, *, scaled: bool = True
) -> tuple[list[float], tuple[int, ...]]:
    """Return inner products and exponents; see ``_blocked``."""
    if not pairs:
        return [], (0,) * len(rows[0])
    totals = [total.item() for total in _dots(tuple(pairs))(rows)]
    if _blocked.in_range(rows, totals):
        return totals, (0,) * len(rows[0])
    return _blocked.inner_products(rows, pairs, scaled=scaled)


def combine(
    matrix: Sequence[Sequence[float]],
    rows: Sequence[Row],
    outs: Sequence[Row],
    *,
    exponents: Sequence[int] = (),
    units: Sequence[Sequence[int]] = (),
    only_if: Sequence[bool] = (),
) -> None:
    """Write linear combinations; see ``_blocked``."""
    if any(exponents) or not all(fit(line, torch.float32) for line in matrix):
        _blocked.combine(matrix, rows, outs, exponents=exponents, units=units, only_if=only_if)
        return
    # numbers would be part of the program, which would be compiled anew for others
    weights = [
        [x if type(x) is int else torch.tensor(x, dtype=torch.float64) for x in line]
        for line in matrix
    ]
    wanted = only_if or (True,) * len(matrix)
    targets = [
        tuple(x if keep else None for x, keep in zip(out, wanted, strict=True)) for out in outs
    ]
    _combination()(weights, rows, targets)


@cache
def _dots(pairs: tuple[tuple[int, int], ...]) -> Callable[[Sequence[Row]], list[Tensor]]:
    def dots(rows: Sequence[Row]) -> list[Tensor]:
        return _traced.inner_products(rows, pairs)[0]

    return torch.compile(dots, fullgraph=True, dynamic=False)


@cache
def _combination() -> Callable[[Any, Sequence[Row], Sequence[Row]], None]:
    return torch.compile(_traced.combine, fullgraph=True, dynamic=False)
