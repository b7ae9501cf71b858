"""One step of Algorithm 1 on columns, with the options of ``Bloop``."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bloop_ref import Diagnostics
from bloop_torch._coefficients import averaging, matrix_of
from bloop_torch._columns import Columns
from bloop_torch._diagnostics import PAIRS, diagnostics_of
from bloop_torch._leaves import Row
from bloop_torch._plain import AUX, EMA, MAIN, NEEDED, units_of


class Plan(NamedTuple):
    """What a step is to do.

    ``unit`` is what the gradients are measured in: the scale of the losses. ``check`` names the
    columns that must be finite for the average to move; ``factor`` multiplies the direction.
    ``fresh`` makes the main gradient the average first.
    """

    lam: Any
    rho: Any
    unit: Any = 1
    check: tuple[int, ...] = ()
    factor: Any = 1
    update_first: bool = False
    fresh: bool = False
    diagnose: bool = False


class Outcome(NamedTuple):
    """Whether the average moved, a flag that is not read; and diagnostics where asked for."""

    moved: Tensor | bool
    diagnostics: Diagnostics | None


def raise_if_bad(rows: Sequence[Row]) -> None:
    """Raise ``FloatingPointError`` where a gradient is not finite; its flag is waited for."""
    columns = Columns.of(rows, [() for _ in rows])
    for column, name in ((MAIN, "g_main"), (AUX, "g_aux")):
        _, _, finite = columns.inner_products([], check=(column,))
        if not finite:
            raise FloatingPointError(f"{name} must be finite; found NaN or infinity in it")


def descend(rows: Sequence[Row], outs: Sequence[Row], plan: Plan) -> Outcome:
    """Write the direction and the next average of rows (g_main, g_aux, ema).

    Scaling both gradients scales the direction alike, and the projection does not see the scale of
    the average; so only what enters the average is brought to the unit of the losses.
    """
    columns = Columns.of(rows, outs)
    moved: Any = None
    if plan.fresh or plan.update_first:
        _, _, moved = columns.inner_products([], check=plan.check)
    if plan.fresh:
        _average(columns, 1.0, plan.unit, moved)
    if plan.update_first:
        _average(columns, plan.rho, plan.unit, moved)
    pairs = PAIRS if plan.diagnose else NEEDED
    check = plan.check if moved is None else ()
    totals, exponents, finite = columns.inner_products(pairs, check=check)
    moved = finite if moved is None else moved
    gram = dict(zip(pairs, totals, strict=True))
    matrix = matrix_of(gram[AUX, EMA], gram[EMA, EMA], lam=plan.lam, rho=plan.rho)
    direction, average = matrix
    if plan.factor != 1:
        direction = tuple(plan.factor * weight for weight in direction)
    columns.combine(
        (direction, (average[0] / plan.unit, *average[1:])),
        exponents=exponents,
        units=units_of(exponents),
        only_if=(True, False if plan.update_first else moved),
    )
    return Outcome(moved, diagnostics_of(gram, exponents, plan.unit) if plan.diagnose else None)


def compiled_descent() -> Callable[[Sequence[Row], Sequence[Row], Plan], Outcome]:
    """Return ``descend`` as one program."""
    # the shapes of parameters never change
    return torch.compile(descend, fullgraph=True, dynamic=False)


def _average(columns: Columns, rho: Any, unit: Any, moved: Any) -> None:
    """Let the main gradient enter the average."""
    ((on_main, on_aux, on_ema),) = averaging(rho)
    columns.combine(((0, 0, 0), (on_main / unit, on_aux, on_ema)), only_if=(False, moved))
