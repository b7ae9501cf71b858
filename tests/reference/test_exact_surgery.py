"""Mixed, PCGrad and dynamic barrier on fractions: laws, and examples worked by hand."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_ref import bloop_direction, project_orthogonal
from bloop_ref.surgery import DynamicBarrier, Mixed, PCGrad

NUMBERS = st.builds(Fraction, st.integers(-9, 9), st.integers(1, 9))
WEIGHTS = st.builds(Fraction, st.integers(0, 20), st.integers(1, 9))
VECTORS = st.lists(NUMBERS, min_size=3, max_size=3).map(lambda v: np.array(v, dtype=object))


@given(VECTORS, VECTORS, WEIGHTS)
def test_mixed(m: np.ndarray, a: np.ndarray, lam: Fraction) -> None:
    assert np.all(Mixed(lam)(m, a) == m + lam * a)


@given(VECTORS, VECTORS, WEIGHTS)
def test_pcgrad(m: np.ndarray, a: np.ndarray, lam: Fraction) -> None:
    d, ma = PCGrad(lam)(m, a), np.sum(m * a)
    if ma >= 0:
        assert np.all(d == Mixed(lam)(m, a))
    else:
        off_each_other = project_orthogonal(m, a) + lam * project_orthogonal(a, m)
        assert np.all(d == off_each_other)
        sine = 1 - ma**2 / (np.sum(m * m) * np.sum(a * a))
        assert np.sum(d * m) == np.sum(m * m) * sine
        assert np.sum(d * a) == lam * np.sum(a * a) * sine
    if lam > 0:
        assert np.all(d == PCGrad(1)(m, lam * a))
        assert np.all(PCGrad(1)(a, m) == PCGrad(1)(m, a))


@given(VECTORS, VECTORS, WEIGHTS)
def test_dynamic_barrier(m: np.ndarray, a: np.ndarray, lam: Fraction) -> None:
    d, mm, ma = DynamicBarrier(lam)(m, a), np.sum(m * m), np.sum(m * a)
    assert np.sum(d * m) == max(mm, lam * ma)
    if lam * ma <= mm and mm > 0:
        assert np.all(d == bloop_direction(m, a, m, lam=lam))
    else:
        assert np.all(d == lam * a)


X, Y, ORTHOGONAL, Z = (-5, 0), (5, 0), (8, -6), (-8, -6)


@pytest.mark.parametrize(
    ("method", "a", "lam", "expected"),
    [
        (Mixed, X, "1/2", ("1/2", 4)),
        (PCGrad, X, 1, ("-16/5", "32/5")),
        (PCGrad, X, "1/2", ("-8/5", "26/5")),
        (PCGrad, Z, 1, ("-77/25", "14/5")),
        (PCGrad, Y, 1, (8, 4)),
        (PCGrad, ORTHOGONAL, 1, (11, -2)),
        (DynamicBarrier, X, 1, ("-1/5", "32/5")),
        (DynamicBarrier, X, "1/2", ("7/5", "26/5")),
        (DynamicBarrier, Y, 1, ("31/5", "8/5")),
        (DynamicBarrier, Y, 2, (10, 0)),
    ],
)
def test_worked_examples(
    method: Any, a: Any, lam: Any, expected: Any, rational: Callable[..., Any]
) -> None:
    d = method(Fraction(lam))(rational(np.array((3, 4))), rational(np.array(a)))
    assert list(d) == [Fraction(x) for x in expected]


@pytest.mark.parametrize("method", [Mixed, PCGrad, DynamicBarrier])
def test_zero_gradients(method: Any, rational: Callable[..., Any]) -> None:
    zero, v, half = rational(np.zeros(2)), rational(np.array((3, 4))), method(Fraction(1, 2))
    assert np.all(half(zero, v) == v / 2)
    assert np.all(half(v, zero) == v)
    assert np.all(half(zero, zero) == zero)
