"""The step on CuPy arrays, up to the launch; the kernels run on the host."""

from itertools import chain
from typing import Any

import numpy as np
import pytest

from bloop_proofs import check_implementation

pytest.importorskip("cupy", reason="cupy is not installed")
pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")


from tests.cupy.takes import LAM, RHO, SHAPES, draw, in_place, require_exact, step


@pytest.mark.slow
@pytest.mark.parametrize("take", [step, in_place])
def test_every_law_holds(take: Any, launches: list[Any]) -> None:
    def judged(g: Any, a: Any, e: Any, *, lam: Any, rho: Any) -> Any:
        return take(g, a, e, lam=lam, rho=rho)

    report = check_implementation(judged, examples=10)
    assert report.passed, report.broken
    assert {result.status for result in report.results} == {"passed"}


@pytest.mark.parametrize("aux", [1e-30, 1.0, 1e15])
@pytest.mark.parametrize("ema", [1e-37, 1.0, 1e36])
def test_float32_is_rounded_once_at_extreme_scales(
    aux: float, ema: float, launches: list[Any]
) -> None:
    g, a, e = ([x * np.float32(s) for x in draw(i)] for i, s in enumerate((aux, aux, ema)))
    require_exact(step(g, a, e), g, a, e)


@pytest.mark.parametrize("scales", [(1e-290, 1e-290), (1e300, 1e180), (1e-100, 1e-220)])
def test_float64_is_exact_at_extreme_scales(
    scales: tuple[float, float], launches: list[Any]
) -> None:
    aux, ema = scales
    g, a, e = ([x * s for x in draw(i, "float64")] for i, s in enumerate((aux, aux, ema)))
    require_exact(step(g, a, e), g, a, e)
    names = [name for name, _ in launches]
    assert names == ["products", "settle", "products", "settle", "pack", "combine"]


@pytest.mark.parametrize("far", [-1000, -900, 900, 1010])
def test_leaving_the_ordinary_range_changes_no_bit(far: int, launches: list[Any]) -> None:
    vectors = [draw(i, "float64") for i in range(3)]
    plain = step(*vectors)
    moved = step(*([np.ldexp(x, far) for x in v] for v in vectors))
    for found, required in zip(chain(*moved), chain(*plain), strict=True):
        np.testing.assert_array_equal(found, np.ldexp(required, far))


def test_what_is_out_of_reach_shows(launches: list[Any]) -> None:
    g, a, e = (draw(i, "float64") for i in range(3))
    tiny = [x * 1e-200 for x in e]
    direction, average = step(g, a, tiny)
    assert all(np.isnan(x).all() for x in direction)
    assert all(np.isfinite(x).all() for x in average)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_zero_average_takes_nothing_away(dtype: str, launches: list[Any]) -> None:
    g, a, e = draw(0, dtype), draw(1, dtype), [np.zeros(shape, dtype) for shape in SHAPES]
    direction, average = step(g, a, e)
    for d, n, x, y in zip(direction, average, g, a, strict=True):
        np.testing.assert_array_equal(d, x + y.dtype.type(LAM) * y)
        np.testing.assert_array_equal(n, x * x.dtype.type(RHO))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows_and_keeps_out_of_the_average(
    bad: float, dtype: str, launches: list[Any]
) -> None:
    g, a, e = (draw(i, dtype) for i in range(3))
    required = step(g, a, e)[1]
    a[1][0] = bad
    direction, average = step(g, a, e)
    assert not any(np.isfinite(x).any() for x in direction)
    for found, expected in zip(average, required, strict=True):
        np.testing.assert_array_equal(found, expected)
