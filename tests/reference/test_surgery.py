"""Mixed, PCGrad and dynamic barrier in floating-point arithmetic, on every library."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_ref.surgery import DynamicBarrier, Mixed, PCGrad
from tests import tolerances

METHODS = [Mixed, PCGrad, DynamicBarrier]


def assert_within_the_bound(found: Any, method: Any, m: Any, a: Any, lam: Fraction) -> None:
    """Assert that a direction is near that of the fractions m and a, in norm."""
    exact = [Fraction(x) for leaf in method(lam)(m, a) for x in np.ravel(leaf)]
    entries = [Fraction(float(x)) for leaf in found for x in np.ravel(leaf)]
    error = sum((x - y) ** 2 for x, y in zip(entries, exact, strict=True))
    m_size, a_size = (np.sqrt(float(sum(np.sum(x * x) for x in v))) for v in (m, a))
    bound = tolerances.surgery_factor() * tolerances.unit_roundoff(found)
    assert error <= Fraction(bound * (m_size + float(lam) * a_size)) ** 2


each_method = pytest.mark.parametrize("method", METHODS)


@each_method
@given(data=st.data(), dtype=st.sampled_from(["float16", "float32", "float64"]))
def test_within_the_bound_of_exact_arithmetic(
    data: st.DataObject, dtype: str, method: Any, gradients: Any, rational: Any
) -> None:
    m, a = data.draw(gradients(2, dtype))
    lam = data.draw(st.sampled_from([1.0, 0.1, 3.0, 100.0]))
    found = method(lam)(m, a)
    assert_within_the_bound(found, method, rational(m), rational(a), Fraction(lam))


@each_method
def test_every_library_is_within_the_bound(method: Any, library: Any, rational: Any) -> None:
    run = library.run(lambda m, a: method(0.5)(m, a))
    m = [np.array([3.0, 4.0], np.float32), np.array(1.0, np.float32)]
    for other in ([-5.0, 0.0], [5.0, 0.0], [8.0, -6.0], [0.0, 0.0]):
        a = [np.array(other, np.float32), np.array(0.0, np.float32)]
        found = library.values(run(library.vector(m), library.vector(a)))
        assert_within_the_bound(found, method, rational(m), rational(a), Fraction(1, 2))


@each_method
@pytest.mark.parametrize("m_size", [1e-300, 1e-160, 1.0, 1e160, 1e300])
@pytest.mark.parametrize("apart", [1e-140, 1.0, 1e140])
def test_extreme_scales(method: Any, m_size: float, apart: float, rational: Any) -> None:
    a_size = m_size * apart if 1e-301 < m_size * apart < 1e301 else m_size / apart
    for a in ([-5.0, 0.0], [5.0, 0.0]):
        main, aux = m_size * np.array([3.0, 4.0]), a_size * np.array(a)
        exact = method(Fraction(1, 2))(rational(main), rational(aux))
        found = method(0.5)(main, aux)
        bound = tolerances.surgery_factor() * 2.0**-53 * (5 * m_size + 2.5 * a_size)
        assert all(abs(x - Fraction(float(y))) <= bound for x, y in zip(exact, found, strict=True))


@pytest.mark.parametrize("method", [PCGrad, DynamicBarrier])
@pytest.mark.parametrize(("m_size", "a_size"), [(1e-300, 1.0), (1.0, 1e300), (1e300, 1e-300)])
def test_scales_out_of_reach_show(method: Any, m_size: float, a_size: float) -> None:
    m, a = np.array([3.0, 4.0]), np.array([-5.0, 0.0])
    for one, other in ((m_size, a_size), (a_size, m_size)):
        assert np.all(np.isnan(method(0.5)(one * m, other * a)))


@each_method
def test_missing_leaves(method: Any) -> None:
    m, a = [np.array([3.0, 4.0]), None, None], [None, np.array([1.0, 2.0]), None]
    found = method(0.5)(m, a)
    np.testing.assert_array_equal(found[0], m[0])
    np.testing.assert_array_equal(found[1], [0.5, 1])
    assert found[2] is None
