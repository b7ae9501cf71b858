"""One step of a method on rows of tensors, one row per parameter and one column per loss."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import optree
import torch
from torch import Tensor

from bloop_ref.surgery import GramMethod, Hierarchy, Method
from bloop_torch._columns import Columns
from bloop_torch._hierarchy import applies, hierarchy_step
from bloop_torch._leaves import Row, check_rows, same_memory_order, writable
from bloop_torch._loss_scale import Unit
from bloop_torch._shards import is_sharded

Outcome = tuple[list[Tensor | None], Any, Tensor | bool]
"""The direction, the next state, and whether all gradients are finite."""


@dataclass(frozen=True)
class Step:
    """What is to be done.

    ``unit`` is what the gradients are measured in, ``check`` whether it is asked if they are
    finite, ``given`` holds the scalars that the method takes beside the gradients, and ``compiled``
    asks for compiled passes on the CPU.
    """

    method: Method
    state: Any
    unit: Unit
    check: bool
    given: Mapping[str, float | Tensor]
    compiled: bool = False


def take_step(rows: Sequence[Row], step: Step) -> Outcome:
    """Take a step; the direction takes the memory of the last gradient, and its unit."""
    check_rows(rows, [f"gradient({k})" for k in range(len(rows[0]))])
    method = step.method
    if isinstance(method, GramMethod):
        return _gram_step(rows, step, method)
    if isinstance(method, Hierarchy) and applies(method, check=step.check):
        outs = [_direction_for(row) for row in rows]
        state, finite = hierarchy_step(
            method,
            rows,
            outs,
            step.state,
            unit=step.unit,
            check=step.check,
            compiled=step.compiled,
        )
        return outs, state, finite
    return _vector_step(rows, step)


def _gram_step(rows: Sequence[Row], step: Step, method: GramMethod) -> Outcome:
    losses = len(rows[0])
    outs = [_direction_for(row) for row in rows]
    columns = Columns.of(rows, [(out,) for out in outs], fused=step.compiled)
    pairs = method.pairs(losses)
    totals, exponents, finite = columns.inner_products(
        pairs, check=range(losses) if step.check else ()
    )
    gram: list[list[Any]] = [[None] * losses for _ in range(losses)]
    for (i, j), total in zip(pairs, totals, strict=True):
        gram[i][j] = gram[j][i] = total
    units = [math.ldexp(1.0, exponent) / step.unit for exponent in exponents]
    state = optree.tree_map(partial(_at_hand, readable=columns.readable), step.state)
    row, state = method.coefficients(gram, units, state, **step.given)
    row = tuple(weight if _is_zero(weight) else weight * step.unit for weight in row)
    if columns.readable:
        row = tuple(weight if _is_zero(weight) else float(weight) for weight in row)
    columns.combine((row,), exponents=exponents, units=((0,) * losses,))
    return outs, state, finite


def _at_hand(scalar: Any, *, readable: bool) -> Any:
    """Return a scalar of a state as a number where that costs no waiting, or is done but once.

    A count that is an integer stays one from step to step.
    """
    if isinstance(scalar, Tensor) and (readable or not scalar.is_floating_point()):
        return scalar.item()
    return scalar


def _is_zero(weight: Any) -> bool:
    """Whether a weight is the integer 0, which leaves its column unread."""
    return type(weight) is int and weight == 0


def _vector_step(rows: Sequence[Row], step: Step) -> Outcome:
    losses = len(rows[0])
    if any(x is not None and is_sharded(x) for row in rows for x in row):
        raise TypeError(
            f"{type(step.method).__name__} works entry by entry, with its own state at the size of "
            "the parameters, and takes no sharded gradients (DTensor); Gram methods do"
        )
    finite: Tensor | bool = True
    if step.check:
        columns = Columns.of(rows, [() for _ in rows])
        _, _, finite = columns.inner_products([], check=range(losses))
    scaled = isinstance(step.unit, Tensor) or step.unit != 1
    gradients = [
        [x / step.unit if scaled and x is not None else x for x in column]
        for column in zip(*rows, strict=True)
    ]
    direction, state = step.method.step(gradients, step.state, **step.given)
    return [x * step.unit if scaled and x is not None else x for x in direction], state, finite


def _direction_for(row: Row) -> Tensor | None:
    """Return the memory that the direction of a leaf goes to."""
    model = next((x for x in row if x is not None), None)
    last = row[-1]
    if model is None:
        return None
    if (
        last is not None
        and last.dtype == model.dtype
        and writable(last)
        and same_memory_order(last, model)
    ):
        return last
    return torch.empty_like(model)
