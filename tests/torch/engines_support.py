"""Leaves of all kinds and sizes, and what is exact about them, for what every engine must do."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from bloop_proofs.tolerances import inner_product_bound
from bloop_torch import _foreach

Row = tuple[Tensor | None, ...]

BLOCK = 32
HALF, BRAIN, SINGLE, DOUBLE = torch.float16, torch.bfloat16, torch.float32, torch.float64
DIGITS = {HALF: 11, BRAIN: 8, SINGLE: 24, DOUBLE: 53}
RAGGED = (1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 1, 3 * BLOCK, 0)
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
