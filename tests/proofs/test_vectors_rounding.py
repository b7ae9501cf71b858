"""Rounding an exact number to a dtype: once, to the nearest, of two to the even one."""

import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bloop_proofs.tolerances import unit_roundoff
from bloop_proofs.vectors.formats import FORMATS
from tests.golden.rounding import nearest

REAL = {"float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float32": np.float32}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@given(x=st.floats(allow_nan=False, allow_infinity=False))
def test_nearest_is_numpys_conversion(dtype: str, x: float) -> None:
    with np.errstate(all="ignore"):
        required = np.float64(x).astype(REAL[dtype])
    found = nearest(Fraction(x), dtype)
    assert found == required
    assert math.copysign(1, found) == math.copysign(1, x) or x == 0


@given(x=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_nearest_bfloat16_is_that_of_ml_dtypes(x: float) -> None:
    assert nearest(Fraction(x), "bfloat16") == float(ml_dtypes.bfloat16(np.float32(x)))


@given(st.fractions(), st.integers(-1100, 900))
@example(-Fraction(2**127), 900)
def test_nearest_float64_is_pythons_division(x: Fraction, exponent: int) -> None:
    exact = x * Fraction(2) ** exponent
    try:
        required = float(exact)
    except OverflowError:  # Python's word for infinity
        required = math.inf if x > 0 else -math.inf
    assert nearest(exact, "float64") == required


@pytest.mark.parametrize("dtype", REAL)
@given(mantissa=st.integers(-(2**60), 2**60), exponent=st.integers(-215, 60))
@example(mantissa=2**24 + 1, exponent=0)
@example(mantissa=2**24 + 3, exponent=0)
def test_nearest_is_no_farther_than_its_neighbours(
    dtype: str, mantissa: int, exponent: int
) -> None:
    exact = mantissa * Fraction(2) ** exponent
    found = REAL[dtype](nearest(exact, dtype))
    for towards in (-np.inf, np.inf):
        neighbour = np.nextafter(found, REAL[dtype](towards))
        if not np.isfinite([float(found), float(neighbour)]).all():
            continue
        distance = abs(Fraction(float(found)) - exact)
        other = abs(Fraction(float(neighbour)) - exact)
        assert distance < other or (distance == other and found.view(f"u{found.itemsize}") % 2 == 0)


@pytest.mark.parametrize("dtype", FORMATS)
def test_nearest_rounds_once_and_to_even_and_overflows_half_a_spacing_above(dtype: str) -> None:
    bits, least, most = FORMATS[dtype]
    half = Fraction(2) ** -bits
    little = Fraction(1, 2**2000)
    above = float(1 + 2 * half)
    assert [nearest(1 + half + x, dtype) for x in (-little, 0, little)] == [1, 1, above]
    assert nearest(1 + 3 * half, dtype) == 1 + 4 * float(half)
    spacing = Fraction(2) ** (least - bits + 1)
    assert [nearest(spacing / 2 + x, dtype) for x in (0, little)] == [0, float(spacing)]
    greatest = Fraction(2) ** (most + 1) * (1 - half)
    edge = Fraction(2) ** (most + 1) * (1 - half / 2)
    assert nearest(edge - little, dtype) == float(greatest)
    assert nearest(-edge, dtype) == -math.inf


@pytest.mark.parametrize("dtype", FORMATS)
def test_formats_are_the_dtypes(dtype: str) -> None:
    leaf = np.zeros(1, ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    number, form = leaf.real.dtype.type, FORMATS[dtype]
    zero, one, infinity = number(0), number(1), number(np.inf)
    spacing = float(np.nextafter(one, infinity)) - 1
    assert form.roundoff == unit_roundoff([leaf]) == spacing / 2
    assert float(np.nextafter(infinity, zero)) == 2.0**form.most * (2 - spacing)
    assert float(np.nextafter(zero, one)) == 2.0**form.least * spacing
