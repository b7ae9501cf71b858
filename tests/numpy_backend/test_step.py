"""The step on NumPy arrays: every law, in place too; scales, threads, NaN."""

import tracemalloc
from itertools import chain
from typing import Any

import numpy as np
import pytest

import bloop_numpy
from bloop_numpy.kernels import BLOCK
from bloop_proofs import check_implementation, exact
from bloop_proofs.tolerances import direction_bound, norm

WEIGHTS: dict[str, Any] = {"lam": 0.5, "rho": 0.25}


def in_place(g_main: Any, g_aux: Any, ema: Any, *, lam: Any, rho: Any) -> Any:
    copies = [[np.array(x) for x in vector] for vector in (g_aux, ema)]
    return bloop_numpy.step(g_main, *copies, lam=lam, rho=rho, inplace=True)


@pytest.mark.slow
@pytest.mark.parametrize("step", [bloop_numpy.step, in_place])
def test_every_law_holds(step: Any, threads: int) -> None:
    report = check_implementation(step, examples=20)
    assert report.passed, report.broken
    assert {result.status for result in report.results} == {"passed"}


@pytest.mark.parametrize("aux", [1e-30, 1.0, 1e15])
@pytest.mark.parametrize("ema", [1e-37, 1e-25, 1.0, 1e25, 1e36])
def test_float32_is_exact_at_extreme_scales(
    aux: float, ema: float, gradient: Any, is_exact: Any, threads: int
) -> None:
    g, a, e = ([x * np.float32(s) for x in gradient(i)] for i, s in enumerate((aux, aux, ema)))
    is_exact(bloop_numpy.step(g, a, e, **WEIGHTS), g, a, e)


@pytest.mark.parametrize("common", [1e-150, 1.0, 1e150])
@pytest.mark.parametrize("ratio", [1e-140, 1.0, 1e140])
def test_float64_is_exact_at_extreme_scales(
    common: float, ratio: float, gradient: Any, is_exact: Any, threads: int
) -> None:
    scales = common, common, common * ratio
    g, a, e = ([x * s for x in gradient(i, "float64")] for i, s in enumerate(scales))
    is_exact(bloop_numpy.step(g, a, e, **WEIGHTS), g, a, e)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(("aux", "ema"), [(1e-245, 1e100), (1e100, 1e-245), (5e-324, 1.0)])
def test_a_direction_out_of_reach_is_not_a_number(aux: float, ema: float, inplace: bool) -> None:
    g, a, e = np.ones(2), np.full(2, aux), np.array([ema, 0.0])
    direction, average = bloop_numpy.step(g, a, e, **WEIGHTS, inplace=inplace)
    assert np.isnan(direction).all()
    np.testing.assert_array_equal(average, [0.75 * ema + 0.25, 0.25])


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(
    ("g", "a", "e", "lam"), [(1.0, 1e34, 1e-9, 0.5), (0.0, 1e38, 1e-9, 1e-50), (0.0, 3.0, 1.0, 1.0)]
)
def test_float32_knows_no_limit(g: float, a: float, e: float, lam: float, size: int) -> None:
    vectors = [np.array(x[:size], np.float32) for x in ((g, g), (a, -a), (e, 2 * e))]
    found = bloop_numpy.step(*vectors, lam=lam, rho=0.0)[0]
    required = exact.direction(*([v] for v in vectors), lam=lam)
    # float64 errs by 2^-53 where the leaves are float32, so that rounding to them is all there is
    sizes = norm(vectors[0].astype(float)), norm(vectors[1].astype(float))
    wide = direction_bound(2.0**-53, size, *sizes, lam)
    assert norm(found - required) <= 2.0**-24 * norm(required) + wide + 2.0**-149


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_leaving_the_ordinary_range_changes_no_bit(dtype: str, gradient: Any, threads: int) -> None:
    vectors = [gradient(i, dtype) for i in range(3)]
    far = 60 if dtype == "float32" else 900
    plain = bloop_numpy.step(*vectors, **WEIGHTS)
    moved = bloop_numpy.step(*([np.ldexp(x, far) for x in v] for v in vectors), **WEIGHTS)
    for found, required in zip(chain(*moved), chain(*plain), strict=True):
        np.testing.assert_array_equal(found, np.ldexp(required, far))


def test_long_leaves_are_summed_well(gradient: Any, threads: int) -> None:
    n = 3_000_000
    a, e = (gradient(i, shapes=((n,),))[0] for i in range(2))
    e = np.abs(e)  # every sum grows all the way
    zero = np.zeros(n, np.float32)
    found = bloop_numpy.step(zero, a, e, lam=1.0, rho=0.0)[0]
    a, e = a.astype(np.float64), e.astype(np.float64)
    required = a - (a @ e) / (e @ e) * e
    # sums in float64 add nothing that float32 shows: one rounding, and 2^-29 n of it
    assert norm(found - required) <= direction_bound(2.0**-53, n, 0.0, norm(a), 1.0) + (
        2.0**-24 * norm(required)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_threads_and_place_do_not_show(dtype: str, gradient: Any, with_threads: Any) -> None:
    shapes = ((5 * BLOCK + 3,), (7,), (BLOCK,))
    vectors = [gradient(i, dtype, shapes=shapes) for i in range(3)]
    with with_threads(1):
        required = bloop_numpy.step(*vectors, **WEIGHTS)
    for count in (1, 2, 3):
        for step in (bloop_numpy.step, in_place):
            with with_threads(count, serial=1):
                found = step(*vectors, **WEIGHTS)
            for x, y in zip(chain(*found), chain(*required), strict=True):
                np.testing.assert_array_equal(x, y)


def test_in_place_takes_the_arrays(gradient: Any, threads: int) -> None:
    g, a, e = (gradient(i) for i in range(3))
    direction, ema = bloop_numpy.step(g, a, e, **WEIGHTS, inplace=True)
    assert all(x is y for x, y in zip(direction + ema, a + e, strict=True))


@pytest.mark.parametrize("missing", [None, 0, 1])
def test_in_place_allocates_nothing_by_size(missing: int | None, gradient: Any) -> None:
    n = 64 * BLOCK
    vectors = [gradient(i, shapes=((n,), (n,))) for i in range(3)]
    if missing is not None:
        vectors[missing][0] = None
    if missing == 1:
        vectors[0][0] = vectors[2][0] = None
    bloop_numpy.step(*vectors, **WEIGHTS, inplace=True)
    tracemalloc.start()
    bloop_numpy.step(*vectors, **WEIGHTS, inplace=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # a number for each block and pair, what a thread works on, and Python's own objects
    assert peak < 64 * 2**10 < n


def test_not_a_number_goes_where_the_equations_take_it() -> None:
    one, bad = np.ones(2), np.array([np.nan, 1.0])
    direction, ema = bloop_numpy.step(one, bad, one, lam=0.0, rho=1.0)
    assert np.isnan(direction[0])
    assert not np.isnan(ema).any()
    _, ema = bloop_numpy.step(bad, one, one, lam=1.0, rho=0.0)
    assert np.isnan(ema[0])
    direction, _ = bloop_numpy.step(one, np.array([np.inf, 1.0]), one, lam=1.0, rho=0.0)
    assert not np.isfinite(direction).any()


def test_pure_step_takes_one_array_for_all(is_exact: Any) -> None:
    one = np.ones(2)
    is_exact(bloop_numpy.step([one], [one], [one], **WEIGHTS), [one], [one], [one])
    np.testing.assert_array_equal(one, [1.0, 1.0])
