"""What every engine must make of inner products."""

import math
from typing import Any

import torch

from tests.torch.engines_support import (
    BLOCK,
    DIGITS,
    DOUBLE,
    MIXED,
    SINGLE,
    WIDE,
    Row,
    case,
    dot,
    numbers,
    ragged,
    require_sums,
    scaled,
    whole,
)


@case
def sums_of_ragged_leaves(engine: Any) -> None:
    rows = ragged(MIXED)
    pairs = [(1, 2), (2, 2), (0, 1), (2, 0)]
    sums, unit, finite = engine.inner_products(rows, pairs, check=(0, 1))
    require_sums(rows, pairs, sums)
    assert type(unit) is int
    assert unit == 1
    assert finite.dtype == torch.bool
    assert finite.tolist() == [True, True]


@case
def sums_of_whole_numbers_are_exact(engine: Any) -> None:
    kinds = [WIDE[k % len(WIDE)] for k in range(200)]
    rows = [
        tuple(None if d is None else whole(k % 5, d, 7 * k + j) for j, d in enumerate(kind))
        for k, kind in enumerate(kinds)
    ]
    sums, unit, _ = engine.inner_products(rows, [(0, 2), (1, 1)])
    for (i, j), found in zip([(0, 2), (1, 1)], (sums * unit * unit).tolist(), strict=True):
        assert found == dot(numbers(rows, i), numbers(rows, j))


@case
def many_pairs(engine: Any) -> None:
    rows = ragged([(SINGLE,) * 9])
    pairs = [(i, j) for i in range(9) for j in range(i + 1)]
    rows[3] = (*rows[3][:8], torch.full_like(rows[3][8], math.nan))  # type: ignore[arg-type]
    rows[4] = (torch.full_like(rows[4][0], math.inf), *rows[4][1:])  # type: ignore[arg-type]
    inner = [pair for pair in pairs if not {0, 8} & set(pair)]
    sums, _, finite = engine.inner_products(rows, pairs, check=(3,))
    require_sums(rows, inner, torch.stack([sums[pairs.index(pair)] for pair in inner]))
    assert finite.tolist() == [True]
    _, _, finite = engine.inner_products(rows, pairs, check=(8, 3, 0))
    assert finite.tolist() == [False, True, False]
    assert not any(torch.isfinite(sums[k]) for k, pair in enumerate(pairs) if {0, 8} & set(pair))


@case
def nothing_to_sum(engine: Any) -> None:
    empty = torch.zeros(0, dtype=DOUBLE)
    for rows in ([], [(None, None)], [(empty, empty)], [(None, torch.ones(3))]):
        sums, unit, finite = engine.inner_products(rows, [(0, 1), (0, 0)], check=(0, 1))
        assert sums.tolist() == [0, 0]
        assert unit == 1
        assert finite.tolist() == [True, True]
    sums, _, _ = engine.inner_products([(torch.ones(3),)], [])
    assert sums.shape == (0,)


@case
def what_is_not_finite_shows(engine: Any) -> None:
    for bad in (math.nan, math.inf, -math.inf):
        for dtype in DIGITS:
            rows = ragged([(dtype, SINGLE)])[:2]
            rows[1][0][-1] = bad  # type: ignore[index]
            sums, unit, finite = engine.inner_products(rows, [(0, 0), (1, 1)], check=(0,))
            assert finite.tolist() == [False]
            assert not sums[0].isfinite()
            assert unit == 1
            require_sums(rows, [(1, 1)], sums[1:])
            _, _, finite = engine.inner_products(rows, [(0, 1)], check=(1,))
            assert finite.tolist() == [True]
            _, _, finite = engine.inner_products(rows, [], check=(1, 0))
            assert finite.tolist() == [True, False]


@case
def absent_is_zero_whatever_it_meets(engine: Any) -> None:
    nan = torch.full((BLOCK + 1,), math.nan)
    rows: list[Row] = [(nan, None), (torch.ones(2), torch.ones(2))]
    sums, _, _ = engine.inner_products(rows, [(0, 1), (1, 1)])
    assert sums.tolist() == [2, 2]
    out = torch.ones_like(nan)
    weight = torch.full((), math.nan, dtype=DOUBLE)
    engine.combine([[0, weight]], rows, [(out,), (None,)])
    assert not out.any()


@case
def float32_sums_neither_overflow_nor_underflow(engine: Any) -> None:
    huge, tiny = torch.full((40,), 2.0**127), torch.full((40,), 2.0**-149)
    sums, unit, _ = engine.inner_products([(huge, tiny)], [(0, 0), (1, 1), (0, 1)])
    assert sums.tolist() == [40 * 2.0**254, 40 * 2.0**-298, 40 * 2.0**-22]
    assert type(unit) is int


@case
def a_common_power_of_two_changes_no_bit(engine: Any) -> None:
    rows = ragged([(DOUBLE, DOUBLE, DOUBLE), (DOUBLE, DOUBLE, None)])
    pairs = [(1, 2), (2, 2), (1, 1)]
    sums, unit, _ = engine.inner_products(rows, pairs)
    peak = max(map(abs, numbers(rows, 1) + numbers(rows, 2)))
    assert unit.item() == 2.0 ** math.floor(math.log2(peak))
    require_sums(scaled(rows, 1 / unit.item()), pairs, sums)
    for power in (-900, -511, 600, 1000):
        there, unit_there, _ = engine.inner_products(scaled(rows, 2.0**power), pairs)
        assert there.tolist() == sums.tolist()
        assert unit_there.item() == math.ldexp(unit.item(), power)


@case
def the_least_numbers_count(engine: Any) -> None:
    least = torch.full((BLOCK + 1,), 2.0**-1074, dtype=DOUBLE)
    sums, unit, _ = engine.inner_products([(least, least * 3)], [(0, 1)])
    assert unit.item() == 2.0**-1022
    assert sums.item() == 3 * least.numel() * 2.0**-104


@case
def vectors_too_far_apart_show(engine: Any) -> None:
    one = torch.ones(BLOCK + 1, dtype=DOUBLE)
    pairs = [(0, 1), (1, 1)]
    for power in (-600, 0, 600):
        base, far = one * 2.0**power, one * 2.0 ** (power - math.copysign(470, power))
        sums, unit, _ = engine.inner_products([(base, far)], pairs)
        assert sums.isfinite().all()
        assert sums[1] * unit / base[0] * unit / base[0] == len(one) * (far[0] / base[0]) ** 2
        further = far * 2.0 ** -math.copysign(1, power)
        sums, _, _ = engine.inner_products([(base, further)], pairs)
        assert sums.isnan().all()
        sums, unit, _ = engine.inner_products([(base, one * 0)], [*pairs, (0, 0)])
        assert sums.tolist() == [0, 0, len(one)]
        assert unit.item() == 2.0**power
    sums, unit, _ = engine.inner_products([(one * 0, one * 0)], pairs)
    assert sums.tolist() == [0, 0]
    assert unit.item() == 1
