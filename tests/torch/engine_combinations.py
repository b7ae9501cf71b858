"""What every engine must make of linear combinations."""

import math
from typing import Any

import torch

from bloop_torch import _foreach
from tests.torch.engines_support import (
    BLOCK,
    BRAIN,
    DOUBLE,
    HALF,
    MIXED,
    SINGLE,
    WIDE,
    case,
    dot,
    nearest,
    numbers,
    ragged,
    whole,
)


@case
def combinations_round_once(engine: Any) -> None:
    weight = torch.tensor(0.75, dtype=DOUBLE)
    matrix: list[list[Any]] = [[1, 2.0**-10, weight], [0.5 + 2.0**-40, 0, -3]]
    for targets in ((BRAIN, DOUBLE), (HALF, SINGLE)):
        rows = ragged(WIDE, whole)
        outs = [
            tuple(torch.full((_foreach.size_of(row),), math.nan, dtype=d) for d in targets)
            for row in rows
        ]
        engine.combine(matrix, rows, outs)
        columns = [numbers(rows, j) for j in range(3)]
        for r, dtype in enumerate(targets):
            weights = [float(w) for w in matrix[r]]
            exact = [dot(weights, entries) for entries in zip(*columns, strict=True)]
            assert numbers(outs, r) == [nearest(x, dtype) for x in exact]


@case
def halves_are_not_rounded_twice(engine: Any) -> None:
    one = torch.ones(BLOCK + 1)
    for dtype, digits in ((BRAIN, 8), (HALF, 11)):
        for sign in (1, -1):
            for above in (2.0**-45, -(2.0**-45)):
                out = torch.empty(len(one), dtype=dtype)
                engine.combine([[sign, sign * (2.0**-digits + above)]], [(one, one)], [(out,)])
                required = sign * (1 + (2.0 ** (1 - digits) if above > 0 else 0))
                assert (out == required).all()
    for dtype, large in ((BRAIN, 2.0**130), (HALF, 2.0**17), (SINGLE, 2.0**200)):
        out = torch.empty(4, dtype=dtype)
        values = torch.tensor([math.inf, -math.inf, math.nan, large], dtype=DOUBLE)
        engine.combine([[1]], [(values,)], [(out,)])
        assert str(out.tolist()) == "[inf, -inf, nan, inf]"


@case
def in_place_gives_the_same_bits(engine: Any) -> None:
    matrix = [[0.3, 0, 0.7], [0, 1, -0.1], [0, 1, 0]]
    for kinds in (MIXED[2:], [(BRAIN, BRAIN, SINGLE)], [(DOUBLE, DOUBLE, DOUBLE)]):
        rows = ragged(kinds)
        fresh = [tuple(None if x is None else x.clone() for x in row) for row in rows]
        engine.combine(matrix, rows, fresh)
        # a column is overwritten whether or not its own output reads it
        engine.combine(matrix, rows, rows)
        for row, required in zip(rows, fresh, strict=True):
            for x, y in zip(row, required, strict=True):
                assert x is y is None or (x is not None and y is not None and x.equal(y))


@case
def flags_keep_what_was_there(engine: Any) -> None:
    rows = ragged([(BRAIN, SINGLE)])
    yes, no = torch.tensor(True), torch.tensor(False)
    for flags in ((True, False), (yes, no), (no, yes), (False, no)):
        outs = [tuple(torch.full_like(x, 7.0) for x in row if x is not None) for row in rows]
        engine.combine([[1, 0], [0, 1]], rows, outs, only_if=flags)
        for j, flag in enumerate(flags):
            kept = [7.0] * len(numbers(rows, j))
            assert numbers(outs, j) == (numbers(rows, j) if flag else kept)


@case
def the_integer_zero_leaves_a_column_unread(engine: Any) -> None:
    x, nan = torch.arange(40.0), torch.full((40,), math.nan)
    out, other = torch.empty(40), torch.empty(40)
    weight = torch.tensor(0.0, dtype=DOUBLE)
    engine.combine([[2, 0], [1, 0.0]], [(x, nan)], [(out, other)])
    assert out.equal(2 * x)
    assert other.isnan().all()
    engine.combine([[0, 0], [1, weight]], [(x, nan)], [(out, other)])
    assert not out.any()
    assert other.isnan().all()
    sums, _, finite = engine.inner_products([(x, nan)], [(0, 0)], check=(0,))
    assert sums.item() == x.square().sum()
    assert finite.tolist() == [True]


@case
def one_column_of_weight_one_is_copied_to_the_bit(engine: Any) -> None:
    x = torch.tensor([-0.0, 0.0, 2.0**-149, -1.5, math.inf])
    out = torch.full_like(x, 7)
    engine.combine([[1, 0, 2]], [(x, None, None)], [(out,)])
    assert out.view(torch.int32).equal(x.view(torch.int32))
    engine.combine([[0, 1, 2]], [(x, None, None)], [(out,)])
    assert not out.view(torch.int32).any()


@case
def an_output_may_be_absent(engine: Any) -> None:
    x, out = torch.ones(40), torch.zeros(40)
    engine.combine([[1], [2]], [(x,), (x,)], [(None, out), (None, None)])
    assert (out == 2).all()
    engine.combine([[1]], [], [])
