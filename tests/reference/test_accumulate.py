"""The error-free transformations, exact in fractions."""

from fractions import Fraction
from typing import Any

import array_api_compat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_ref import _accumulate as twice
from tests import tolerances

XP = array_api_compat.array_namespace(np.empty(0))
NUMBERS = {
    dtype: floats.map(lambda x: x if abs(x) > 1e-6 else 0.0)
    for dtype, floats in (
        ("float32", st.floats(-1e6, 1e6, width=32)),
        ("float64", st.floats(-1e6, 1e6)),
    )
}
dtypes = pytest.mark.parametrize("dtype", NUMBERS)


def exact(x: Any) -> Fraction:
    return Fraction(float(x))


@dtypes
@given(data=st.data())
def test_a_sum_and_a_product_lose_nothing(data: st.DataObject, dtype: str) -> None:
    x, y = (np.array(data.draw(NUMBERS[dtype]), dtype) for _ in range(2))
    total, error = twice.two_sum(x, y)
    assert total == x + y
    assert exact(total) + exact(error) == exact(x) + exact(y)
    product, error = twice.two_product(x, y, XP)
    assert product == x * y
    assert exact(product) + exact(error) == exact(x) * exact(y)


@dtypes
@given(data=st.data())
def test_dot_errs_in_second_order(data: st.DataObject, dtype: str) -> None:
    n = data.draw(st.integers(1, 40))
    x, y = (
        np.array(data.draw(st.lists(NUMBERS[dtype], min_size=n, max_size=n)), dtype)
        for _ in range(2)
    )
    total, error = twice.dot(x, y, XP)
    true = sum(exact(p) * exact(q) for p, q in zip(x, y, strict=True))
    size = float(np.linalg.norm(x.astype(np.float64)) * np.linalg.norm(y.astype(np.float64)))
    bound = tolerances.compensated_bound(n, float(np.finfo(dtype).eps) / 2, size)
    assert abs(exact(total) + exact(error) - true) <= bound


@dtypes
def test_power_of_two_is_near(dtype: str) -> None:
    info = np.finfo(dtype)
    exponents = np.arange(np.log2(info.smallest_normal), np.log2(info.max) - 1).astype(int)
    for exponent in exponents[:: len(exponents) // 60]:
        for factor in (1, np.nextafter(info.dtype.type(1), 2), np.nextafter(info.dtype.type(2), 0)):
            magnitude = np.ldexp(info.dtype.type(factor), exponent)
            unit = twice.power_of_two(magnitude, info.dtype, XP)
            assert unit.dtype == dtype
            assert np.frexp(unit)[0] == 0.5
            assert 0.5 <= magnitude / unit <= 4


@dtypes
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_power_of_two_leaves_non_finite_values_alone(dtype: str, value: float) -> None:
    assert twice.power_of_two(np.array(value, dtype), np.dtype(dtype), XP) == 1


@dtypes
def test_power_of_two_of_zero_is_never_the_largest(dtype: str) -> None:
    info = np.finfo(dtype)
    for value in (0.0, info.smallest_subnormal):
        unit = twice.power_of_two(np.array(value, dtype), np.dtype(dtype), XP)
        assert unit == info.smallest_normal
