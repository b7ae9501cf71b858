"""One step of a method on rows of tensors, one row per parameter and one column per loss."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import optree
import torch
from torch import Tensor

from bloop_ref._scalars import symmetric
from bloop_ref.surgery import GramMethod, Hierarchy, Method, PerLeaf, SamGS
from bloop_torch._columns import Columns
from bloop_torch._hierarchy import applies, hierarchy_step
from bloop_torch._leaves import Row, check_rows, same_memory_order, writable
from bloop_torch._loss_scale import Unit
from bloop_torch._shards import is_sharded, local, spread

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
    if isinstance(method, PerLeaf):
        return _leafwise_step(rows, step, method.method)
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
    gram = symmetric(losses, zip(pairs, totals, strict=True))
    units = [math.ldexp(1.0, exponent) / step.unit for exponent in exponents]
    state = optree.tree_map(partial(_at_hand, readable=columns.readable), step.state)
    row, state = method.coefficients(gram, units, state, **step.given)
    row = tuple(weight if _is_zero(weight) else weight * step.unit for weight in row)
    if columns.readable:
        row = tuple(weight if _is_zero(weight) else float(weight) for weight in row)
    columns.combine((row,), exponents=exponents, units=((0,) * losses,))
    return outs, state, finite


def _leafwise_step(rows: Sequence[Row], step: Step, method: GramMethod) -> Outcome:
    """Take a step of a Gram method on every leaf by itself."""
    direction: list[Tensor | None] = []
    states: list[Any] = []
    flags: list[Tensor | bool] = []
    for row, state in zip(rows, step.state, strict=True):
        if all(x is None for x in row):
            direction.append(None)
            states.append(state)
            continue
        (leaf,), after, finite = _gram_step([row], replace(step, state=state), method)
        direction.append(leaf)
        states.append(after)
        flags.append(finite)
    tensors = [flag for flag in flags if isinstance(flag, Tensor)]
    if tensors:
        return (
            direction,
            tuple(states),
            torch.stack([x.to(tensors[0].device) for x in tensors]).all(),
        )
    return direction, tuple(states), all(flags)


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
        if isinstance(step.method, SamGS):
            return _sharded_step(rows, step, step.method)
        raise TypeError(
            f"{type(step.method).__name__} updates its averages before it projects, or is none of "
            "bloop_ref.surgery, and takes no sharded gradients (DTensor); the other methods do"
        )
    finite: Tensor | bool = True
    if step.check:
        columns = Columns.of(rows, [() for _ in rows])
        _, _, finite = columns.inner_products([], check=range(losses))
    gradients = [[_over(x, step.unit) for x in column] for column in zip(*rows, strict=True)]
    direction, state = step.method.step(gradients, step.state, **step.given)
    return [_over(x, 1 / step.unit) for x in direction], state, finite


def _sharded_step(rows: Sequence[Row], step: Step, method: SamGS) -> Outcome:
    """Take a step of SAM-GS on the parts of this process; only the norms need the others."""
    losses = len(rows[0])
    columns = Columns.of(rows, [() for _ in rows])
    diagonal = [(k, k) for k in range(losses)]
    totals, exponents, finite = columns.inner_products(
        diagonal, check=range(losses) if step.check else ()
    )
    device = step.state.dissimilarity.device
    squares = [torch.as_tensor(total, dtype=torch.float64, device=device) for total in totals]
    gram = symmetric(losses, zip(diagonal, squares, strict=True))
    units = [
        torch.as_tensor(math.ldexp(1.0, e) / step.unit, dtype=torch.float64, device=device)
        for e in exponents
    ]
    parts = [[_over(local(x), step.unit) for x in column] for column in zip(*rows, strict=True)]
    momenta = tuple([local(x) for x in momentum] for momentum in step.state.momenta)
    direction, state = method.step(parts, step.state._replace(momenta=momenta), norms=(gram, units))
    whole = [
        spread(_over(x, 1 / step.unit), like=next((y for y in row if y is not None), None))
        for x, row in zip(direction, rows, strict=True)
    ]
    momenta = tuple(
        [spread(x, like=old) for x, old in zip(new, olds, strict=True)]
        for new, olds in zip(state.momenta, step.state.momenta, strict=True)
    )
    return whole, state._replace(momenta=momenta), finite


def _over(leaf: Tensor | None, unit: Unit) -> Tensor | None:
    scaled = isinstance(unit, Tensor) or unit != 1
    return leaf / unit if scaled and leaf is not None else leaf


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
