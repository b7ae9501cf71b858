"""What every engine must do: ``python -m tests.torch.engines_support`` asks it of the kernels.

Their interpreter has to be chosen before Triton is imported, so this needs a process of its own:
``TRITON_INTERPRET=1``. It prints a JSON object, for each case ``null`` or how it failed.
"""

import json
import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bloop_torch import _foreach, _triton
from tests.tolerances import inner_product_bound

Row = tuple[Tensor | None, ...]

BLOCK = 32
HALF, BRAIN, SINGLE, DOUBLE = torch.float16, torch.bfloat16, torch.float32, torch.float64
DIGITS = {HALF: 11, BRAIN: 8, SINGLE: 24, DOUBLE: 53}
RAGGED = (1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 1, 3 * BLOCK, 0)
LEAVES = 161

# launches for tensors of any size; the rest are views and memory
FREE = {
    "aten::empty.memory_format",
    "aten::select.int",
    "aten::slice.Tensor",
    "aten::split_with_sizes",
    "aten::detach",
    "aten::view.dtype",
}

CASES: dict[str, Callable[[Any], None]] = {}


def case(function: Callable[[Any], None]) -> Callable[[Any], None]:
    CASES[function.__name__] = function
    return function


def normal(size: int, dtype: torch.dtype, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(size, generator=generator, dtype=DOUBLE).to(dtype)


def whole(size: int, dtype: torch.dtype, seed: int) -> Tensor:
    """Return integers that every dtype holds, and so do their products in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-9, 10, (size,), generator=generator).to(dtype)


def ragged(kinds: Sequence[Sequence[torch.dtype | None]], make: Any = normal) -> list[Row]:
    """Return leaves of all the sizes, of each kind."""
    return [
        tuple(
            None if dtype is None else make(size, dtype, 100 * k + 10 * s + j)
            for j, dtype in enumerate(kind)
        )
        for k, kind in enumerate(kinds)
        for s, size in enumerate(RAGGED)
    ]


MIXED = [
    (BRAIN, BRAIN, SINGLE),
    (SINGLE, SINGLE, SINGLE),
    (SINGLE, None, SINGLE),
    (None, HALF, None),
    (HALF, SINGLE, None),
]
WIDE = [*MIXED, (DOUBLE, SINGLE, DOUBLE), (DOUBLE, DOUBLE, None)]


def numbers(rows: Sequence[Row], j: int) -> list[float]:
    """Return a vector, zeros where there is no leaf."""
    return [
        number
        for row in rows
        for x in [row[j]]
        for number in ([0.0] * _foreach.size_of(row) if x is None else x.tolist())
    ]


def dot(x: Sequence[float], y: Sequence[float]) -> float:
    """Return a sum of products that float64 holds."""
    return math.fsum(a * b for a, b in zip(x, y, strict=True))


def require_sums(rows: Sequence[Row], pairs: Sequence[tuple[int, int]], sums: Tensor) -> None:
    assert sums.dtype == DOUBLE
    assert sums.shape == (len(pairs),)
    for (i, j), found in zip(pairs, sums.tolist(), strict=True):
        x, y = numbers(rows, i), numbers(rows, j)
        exact = sum((Fraction(a) * Fraction(b) for a, b in zip(x, y, strict=True)), Fraction())
        size = math.hypot(*x) * math.hypot(*y)
        bound = inner_product_bound(len(x), abs(float(exact)), size, compensated=False)
        assert abs(found - exact) <= bound, (i, j)


def nearest(number: float, dtype: torch.dtype) -> float:
    """Round a normal number to the nearest, or even, of a dtype."""
    mantissa, exponent = math.frexp(number)
    digits = DIGITS[dtype]
    return math.ldexp(round(math.ldexp(mantissa, digits)), exponent - digits)


def scaled(rows: Sequence[Row], factor: float) -> list[Row]:
    return [tuple(None if x is None else x * factor for x in row) for row in rows]


@case
def sums_of_ragged_leaves(engine: Any) -> None:
    rows = ragged(MIXED)
    pairs = [(1, 2), (2, 2), (0, 1), (2, 0)]
    sums, unit, finite = engine.inner_products(rows, pairs, check=(0, 1))
    require_sums(rows, pairs, sums)
    assert type(unit) is int
    assert unit == 1
    assert finite.dtype == torch.bool
    assert finite.item()


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
    assert finite.item()
    assert not any(torch.isfinite(sums[k]) for k, pair in enumerate(pairs) if {0, 8} & set(pair))


@case
def nothing_to_sum(engine: Any) -> None:
    empty = torch.zeros(0, dtype=DOUBLE)
    for rows in ([], [(None, None)], [(empty, empty)], [(None, torch.ones(3))]):
        sums, unit, finite = engine.inner_products(rows, [(0, 1), (0, 0)], check=(0, 1))
        assert sums.tolist() == [0, 0]
        assert unit == 1
        assert finite.item()
    sums, _, _ = engine.inner_products([(torch.ones(3),)], [])
    assert sums.shape == (0,)


@case
def what_is_not_finite_shows(engine: Any) -> None:
    for bad in (math.nan, math.inf, -math.inf):
        for dtype in DIGITS:
            rows = ragged([(dtype, SINGLE)])[:2]
            rows[1][0][-1] = bad  # type: ignore[index]
            sums, unit, finite = engine.inner_products(rows, [(0, 0), (1, 1)], check=(0,))
            assert not finite.item()
            assert not sums[0].isfinite()
            assert unit == 1
            require_sums(rows, [(1, 1)], sums[1:])
            _, _, finite = engine.inner_products(rows, [(0, 1)], check=(1,))
            assert finite.item()
            _, _, finite = engine.inner_products(rows, [], check=(1, 0))
            assert not finite.item()


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
    assert finite.item()


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


class Counter(TorchDispatchMode):
    """Counts operations, and refuses to let the host read a value."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function.name()
        assert name not in ("aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero"), name
        if name not in FREE:
            self.found.append(name)
        return function(*args, **(kwargs or {}))


@contextmanager
def counted_launches(counter: Counter, moved: list[int]) -> Iterator[None]:
    """Count launches of kernels, and the columns that each reads or writes."""
    launch = _triton._launch

    def counted(kernel: str, *args: Any, **constants: Any) -> None:
        counter.found.append(kernel)
        columns = [*constants["DTYPES"], *constants.get("OUTS", ())]
        moved.append(len(columns) - columns.count(None))
        # the interpreter's own operations are not ours
        with torch.utils._python_dispatch._disable_current_modes():
            launch(kernel, *args, **constants)

    _triton._launch = counted
    try:
        yield
    finally:
        _triton._launch = launch


def take_step(engine: Any, rows: Sequence[Row], check: Sequence[int]) -> None:
    """Take a step of Bloop in place, with the fewest operations on scalars."""
    sums, _, finite = engine.inner_products(rows, [(1, 2), (2, 2)], check=check)
    k = torch.where(sums[1] > 0, sums[0] / sums[1], 0.0)
    matrix = [[1, 0.3, -0.3 * k], [0.01, 0, 0.99]]
    outs = [(row[0], row[2]) for row in rows]
    engine.combine(matrix, rows, outs, only_if=(True, finite if check else True))


def count_step(engine: Any, leaves: int, check: Sequence[int]) -> tuple[list[str], int]:
    """Return the launches of a step, and how many floats it moves for each entry."""
    rows = [tuple(normal(1 + k % 7, SINGLE, 3 * k + j) for j in range(3)) for k in range(leaves)]
    counter, moved = Counter(), list[int]()
    with counter, counted_launches(counter, moved):
        take_step(engine, rows, check)
    return counter.found, sum(moved)


def launches_do_not_grow_with_the_leaves(engine: Any) -> None:
    for check, most, floats in (((), 10, 7), ((0,), 12, 8)):
        found, moved = count_step(engine, LEAVES, check)
        assert len(found) <= most, found
        assert moved == floats
        assert found == count_step(engine, 2, check)[0]


def main() -> None:
    _triton.block_size = lambda columns: BLOCK
    cases = CASES | {"launches": launches_do_not_grow_with_the_leaves}
    failures: dict[str, str | None] = {}
    for name, function in cases.items():
        try:
            function(_triton)
        except Exception:
            failures[name] = traceback.format_exc()
        else:
            failures[name] = None
    print(json.dumps(failures))


if __name__ == "__main__":
    main()
