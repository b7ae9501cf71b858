"""Hierarchical Bloop on rows of tensors, from one Gram matrix: read twice, written once."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bloop_ref import HierarchicalBloopState
from bloop_ref._scalars import at_step, check_range, symmetric
from bloop_ref.coefficients import ema_row, rescaling
from bloop_ref.surgery import Hierarchy
from bloop_ref.surgery.rows.hierarchy import hierarchy_pairs, hierarchy_row
from bloop_torch._columns import Columns
from bloop_torch._leaves import Row
from bloop_torch._shards import agreed

Outcome = tuple[Any, Tensor | bool]
"""The next state, and whether all gradients are finite."""


def applies(method: Hierarchy, *, check: bool) -> bool:
    """Whether a hierarchy has no option that needs an average before the Gram matrix is there.

    One that keeps every level's bad gradients out by itself needs the flags of all levels first,
    unless no bad gradient gets there.
    """
    tracking = method.bloop.tracking
    plain = tracking.project_on == "previous" and tracking.init == "zeros"
    return plain and (check or tracking.nonfinite == "propagate")


def hierarchy_step(
    method: Hierarchy,
    rows: Sequence[Row],
    outs: Sequence[Tensor | None],
    state: HierarchicalBloopState,
    *,
    unit: float | Tensor,
    check: bool,
    compiled: bool,
) -> Outcome:
    """Write the direction of rows (g_0, ..., g_L) and, where all are finite, the next averages.

    The averages of the state are written in place.
    """
    bloop, count = method.bloop, state.count
    levels = len(bloop.lams)
    names = [f"gradient({k})" for k in range(levels + 1)] + [f"ema({k})" for k in range(levels)]
    emas = list(zip(*state.emas, strict=True))
    full = [agreed((*row, *e), names) for row, e in zip(rows, emas, strict=True)]
    targets = [(out, *row[levels + 1 :]) for out, row in zip(outs, full, strict=True)]
    columns = Columns.of(full, targets, fused=compiled)
    pairs = hierarchy_pairs(levels)
    totals, exponents, finite = columns.inner_products(
        pairs, check=range(levels + 1) if check else ()
    )
    size = 2 * levels + 1
    gram = symmetric(size, zip(pairs, totals, strict=True))
    lams = [_number(f"lams[{k}]", x, count, columns) for k, x in enumerate(bloop.lams)]
    rhos = [_number(f"rho[{k}]", x, count, columns, most=1) for k, x in enumerate(bloop.rhos)]
    units = [2.0**exponent for exponent in exponents]
    tolerance = rank_tolerance(method, full)
    factor = rescaling(lam=sum(lams)) if bloop.rescale else 1
    weights = hierarchy_row(gram, units, lams=lams, rank_tolerance=tolerance)
    matrix = [tuple(factor * weight for weight in weights)]
    for k, rho in enumerate(rhos):
        on_gradient, on_ema = ema_row(rho=rho)
        row: list[Any] = [0] * size
        row[k], row[levels + 1 + k] = on_gradient * units[k] / unit, on_ema * units[levels + 1 + k]
        matrix.append(tuple(row))
    nothing = ((0,) * size,) * len(matrix)
    moved = (True, *(finite for _ in rhos))
    columns.combine(matrix, exponents=exponents, units=nothing, only_if=moved)
    return state._replace(count=count + 1), finite


def rank_tolerance(method: Hierarchy, rows: Sequence[Row]) -> float:
    """Return what part of its norm a reference must have outside the span of those before it.

    By default 32 times the spacing at 1 of the coarsest leaf, as in the reference, but no less than
    the root of that of float32, which the squares are summed in.
    """
    if method.bloop.rank_tolerance is not None:
        return float(method.bloop.rank_tolerance)
    spacings = [torch.finfo(x.dtype).eps for row in rows for x in row if x is not None]
    return max(32 * max(spacings, default=0.0), math.sqrt(32 * torch.finfo(torch.float32).eps))


def _number(name: str, schedule: Any, count: Tensor, columns: Columns, **most: int) -> Any:
    value = at_step(schedule, count)
    check_range(name, value, **most)
    return float(value) if columns.readable else value
