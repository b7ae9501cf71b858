"""Linear combinations on the CPU: few sweeps over each block, while it is in the cache.

What is to be done to a block is worked out once per leaf, as a list of operations on numbered
slots: first the columns, then the outputs, then scratch for outputs that cannot be written at once.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from bloop_torch._blocks import Scratch, working_dtype
from bloop_torch._leaves import Row

Operation: TypeAlias = Callable[[list[Tensor]], object]
Term: TypeAlias = tuple[int, float]
"""A slot and its weight."""


def combine(
    matrix: Sequence[Sequence[float]],
    rows: Sequence[Row],
    outs: Sequence[Row],
    *,
    exponents: Sequence[int] = (),
    units: Sequence[Sequence[int]] = (),
    only_if: Sequence[bool] = (),
) -> None:
    """Write the linear combinations of the columns that the rows of a matrix say.

    An output may share its memory with a column: every block is read before it is overwritten.

    Args:
        matrix: one row of coefficients per output; the integer 0 leaves its column unread.
        rows: flat leaves, one row per parameter.
        outs: flat leaves to write to, or ``None`` to leave an output out.
        exponents: powers of two that each column is divided by before it is weighted.
        units: for each output, powers of two that its coefficients are multiplied by.
        only_if: for each output, whether it is to be written at all.
    """
    scratch, programs = Scratch(), {}
    wanted = only_if or (True,) * len(matrix)
    factors = exponents if any(exponents) else (0,) * (len(rows[0]) if rows else 0)
    scales = units if any(exponents) else (factors,) * len(matrix)
    for row, all_outs in zip(rows, outs, strict=True):
        out = tuple(x if keep else None for x, keep in zip(all_outs, wanted, strict=True))
        form = Form.of(row, out)
        if form not in programs:
            plan = [Output.of(m, form, unit) for m, unit in zip(matrix, scales, strict=True)]
            programs[form] = _program(plan, form, wide=any(factors))
        dtype, program, late = programs[form]
        for block in scratch.blocks((*row, *out), dtype, factors, len(row)):
            if late:
                length = max(map(len, block))
                block += [scratch.block(len(block) + k, dtype, length) for k in range(late)]
            for operation in program:
                operation(block)


class Form(NamedTuple):
    """What the program for a leaf depends on: dtypes, and which outputs are which columns."""

    columns: tuple[torch.dtype | None, ...]
    outs: tuple[torch.dtype | None, ...]
    shared: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, row: Row, out: Row) -> "Form":
        """Return the form of a leaf."""
        places = [None if x is None else x.data_ptr() for x in row]
        shared = [
            ()
            if target is None
            else tuple(j for j, p in enumerate(places) if p == target.data_ptr())
            for target in out
        ]
        return cls(tuple(map(_dtype, row)), tuple(map(_dtype, out)), tuple(shared))


def _dtype(leaf: Tensor | None) -> torch.dtype | None:
    return None if leaf is None else leaf.dtype


@dataclass(frozen=True)
class Output:
    """One output as a sum of terms, times 2**scale."""

    terms: list[Term]
    scale: int

    @classmethod
    def of(cls, coefficients: Sequence[float], form: Form, units: Sequence[int]) -> "Output":
        """Return the terms of a row of coefficients over the leaves that are there.

        The largest coefficient in its unit sets the scale, so that none overflows.
        """
        terms = [
            (j, value)
            for j, value in enumerate(coefficients)
            if form.columns[j] is not None and not (type(value) is int and value == 0)
        ]
        if not any(units):
            return cls(terms, 0)
        scale = max((math.frexp(value)[1] + units[j] for j, value in terms if value), default=0)
        return cls([(j, math.ldexp(value, units[j] - scale)) for j, value in terms], scale)

    def fits(self, dtype: torch.dtype) -> bool:
        """Whether the weights are as good in a dtype."""
        return fit((value for _, value in self.terms), dtype)


def fit(weights: Iterable[float], dtype: torch.dtype) -> bool:
    """Whether every weight that is finite is 0 or a normal number of a dtype."""
    info = torch.finfo(dtype)
    return all(
        value == 0 or info.tiny <= abs(value) <= info.max or not math.isfinite(value)
        for value in weights
    )


def _program(
    plan: Sequence[Output], form: Form, *, wide: bool
) -> tuple[torch.dtype, list[Operation], int]:
    """Return the dtype to work in, what to do to a block, and how many scratch slots it takes."""
    dtype = working_dtype((*form.columns, *form.outs))
    if wide or not all(output.fits(dtype) for output in plan):
        dtype = torch.float64
    columns, free = len(form.columns), len(form.columns) + len(form.outs)
    program: list[Operation] = []
    stores: list[Operation] = []
    for i, output in enumerate(plan):
        if form.outs[i] is None:
            continue
        place, shared = columns + i, form.shared[i]
        needed_later = {j for later in plan[i + 1 :] for j, _ in later.terms}
        if form.outs[i] != dtype or len(shared) > 1 or needed_later.intersection(shared):
            stores.append(_copy(place, free))
            place, free, shared = free, free + 1, ()
        program += _sum_of(output.terms, place, shared)
        program += _scaled(place, output.scale)
    return dtype, program + stores, free - columns - len(form.outs)


def _sum_of(terms: Sequence[Term], place: int, shared: tuple[int, ...]) -> list[Operation]:
    """Return the sum of weighted columns in as few sweeps as torch has operations for.

    The column that is ``shared``, if any, is overwritten by the first sweep, which must read it.
    """
    if not terms:
        return [lambda block: block[place].zero_()]
    # a column of weight 1 costs no sweep of its own
    (i, a), *rest = sorted(terms, key=lambda term: (term[0] not in shared, term[1] == 1))
    if not rest:
        return [_mul(place, i, a)]
    j, b = rest[-1]
    if b == 1:
        return [_sum(place, j, i, a), *(_sum(place, place, k, c) for k, c in rest[:-1])]
    if len(rest) == 1 and a + b == 1:
        return [lambda block: torch.lerp(block[i], block[j], b, out=block[place])]
    return [_mul(place, i, a), *(_sum(place, place, k, c) for k, c in rest)]


def _mul(place: int, j: int, value: float) -> Operation:
    return lambda block: torch.mul(block[j], value, out=block[place])


def _sum(place: int, i: int, j: int, value: float) -> Operation:
    """Return place = i + value * j."""
    if i == place:
        return lambda block: block[i].add_(block[j], alpha=value)
    return lambda block: torch.add(block[i], block[j], alpha=value, out=block[place])


def _copy(place: int, source: int) -> Operation:
    return lambda block: block[place].copy_(block[source])


def _scaled(place: int, scale: int) -> list[Operation]:
    """Return a multiplication by 2**scale, which may itself be out of range."""
    if not scale:
        return []
    half = math.ldexp(1.0, scale // 2)
    other = math.ldexp(1.0, scale - scale // 2)
    return [lambda block: block[place].mul_(half).mul_(other)]
