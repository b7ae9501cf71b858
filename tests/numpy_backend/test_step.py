"""The step on NumPy arrays: every law, in place too; scales, layouts, missing leaves, bad input."""

import re
import tracemalloc
from itertools import chain
from typing import Any

import numpy as np
import pytest

import bloop_numpy
from bloop_numpy import _threads, linear
from bloop_numpy.linear import BLOCK
from bloop_proofs import check_implementation
from bloop_proofs.subject import flat
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


@pytest.mark.parametrize("aux", [1e-290, 1.0, 1e290])
@pytest.mark.parametrize("ema", [1e-290, 1e290])
def test_float64_is_exact_at_extreme_scales(
    aux: float, ema: float, gradient: Any, is_exact: Any, threads: int
) -> None:
    g, a, e = ([x * s for x in gradient(i, "float64")] for i, s in enumerate((aux, aux, ema)))
    is_exact(bloop_numpy.step(g, a, e, **WEIGHTS), g, a, e)


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
    # sums in blocks err like sums of about sqrt(n) terms, one accumulator like one of n
    assert norm(found - required) <= direction_bound(2.0**-24, int(n**0.5), 0.0, norm(a), 1.0)


def test_in_place_takes_the_arrays_and_gives_the_same_bits(gradient: Any, threads: int) -> None:
    g, a, e = (gradient(i) for i in range(3))
    required = bloop_numpy.step(g, a, e, **WEIGHTS)
    direction, ema = bloop_numpy.step(g, a, e, **WEIGHTS, inplace=True)
    assert all(x is y for x, y in zip(direction + ema, a + e, strict=True))
    for x, y in zip(direction + ema, chain(*required), strict=True):
        np.testing.assert_array_equal(x, y)


def test_in_place_allocates_blocks_only(gradient: Any, threads: int) -> None:
    n = 16 * BLOCK
    g, a, e = (gradient(i, shapes=((n,),))[0] for i in range(3))
    bloop_numpy.step(g, a, e, **WEIGHTS, inplace=True)
    tracemalloc.start()
    bloop_numpy.step(g, a, e, **WEIGHTS, inplace=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # one buffer for each dtype and thread, and what scalars and the pool take
    assert peak < (threads + 1) * BLOCK * 12


LAYOUTS: dict[str, Any] = {
    "Fortran": lambda x: np.asfortranarray(x),
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x,
    "reversed": lambda x: np.asarray(np.flip(np.flip(x).copy())),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("inplace", [False, True])
def test_any_memory_layout_does(layout: str, inplace: bool, gradient: Any, is_exact: Any) -> None:
    vectors = [[LAYOUTS[layout](x) for x in gradient(i)] for i in range(3)]
    plain = [[x.copy() for x in v] for v in vectors]
    found = bloop_numpy.step(*vectors, **WEIGHTS, inplace=inplace)
    is_exact(found, *plain)
    if inplace:
        is_exact(vectors[1:], *plain)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_has_a_float32_average(dtype: str, gradient: Any, is_exact: Any) -> None:
    kind = np.float16 if dtype == "float16" else pytest.importorskip("ml_dtypes").bfloat16
    g, a = (gradient(i, kind) for i in range(2))
    direction, ema = bloop_numpy.step(g, a, [None] * 3, **WEIGHTS)
    assert {x.dtype for x in direction} == {np.dtype(kind)}
    assert {x.dtype for x in ema} == {np.dtype(np.float32)}
    is_exact((direction, ema), g, a, [np.zeros_like(x, np.float32) for x in g])


def test_none_is_zero_and_trees_are_kept(gradient: Any, is_exact: Any) -> None:
    w, b, _ = gradient(0)
    g, a, e = {"w": w, "b": [None]}, {"w": None, "b": [b]}, {"w": w * 2, "b": [None]}
    direction, ema = bloop_numpy.step(g, a, e, **WEIGHTS)
    assert ema["b"] == [None]
    zeros = np.zeros_like(w), np.zeros_like(b)
    found = [direction["w"], *direction["b"]], [ema["w"], zeros[1]]
    is_exact(found, [w, zeros[1]], [zeros[0], b], [w * 2, zeros[1]])


def test_not_a_number_goes_where_the_equations_take_it() -> None:
    one, bad = np.ones(2), np.array([np.nan, 1.0])
    direction, ema = bloop_numpy.step(one, bad, one, lam=0.0, rho=1.0)
    assert np.isnan(direction[0])
    assert not np.isnan(ema).any()
    _, ema = bloop_numpy.step(bad, one, one, lam=1.0, rho=0.0)
    assert np.isnan(ema[0])


def locked(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


SHARED = np.ones(2)
BAD: dict[str, tuple[type[Exception], str, dict[str, Any]]] = {
    "shape": (ValueError, "the shape of g_main", {"g_aux": np.ones((2, 1))}),
    "objects": (
        TypeError,
        "takes NumPy arrays",
        {
            "g_main": np.array([1, 2], object),
            "g_aux": np.array([1, 2], object),
            "ema": np.array([1, 2], object),
        },
    ),
    "lam": (ValueError, "lam must be a finite number >= 0; found -1", {"lam": -1}),
    "rho": (ValueError, "rho must be a number in [0, 1]; found 2", {"rho": 2}),
    "dtype in place": (
        TypeError,
        "g_aux must have the dtypes of g_main",
        {"g_aux": np.ones(2, np.float32), "inplace": True},
    ),
    "locked": (
        ValueError,
        "ema must be writeable; found leaf 0 read-only",
        {"ema": locked(np.ones(2)), "inplace": True},
    ),
    "scalar": (
        ValueError,
        "g_aux must be writeable; found leaf 0 read-only",
        {"g_main": np.ones(()), "g_aux": np.float64(1), "ema": np.ones(()), "inplace": True},
    ),
    "shared": (
        ValueError,
        "g_main and ema must not share memory",
        {"g_main": SHARED, "ema": SHARED, "inplace": True},
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case: str) -> None:
    error, message, change = BAD[case]
    good: dict[str, Any] = {name: np.ones(2) for name in ("g_main", "g_aux", "ema")}
    with pytest.raises(error, match=re.escape(message)):
        bloop_numpy.step(**{**good, **WEIGHTS, **change})


def test_pure_step_takes_one_array_for_all(is_exact: Any) -> None:
    found = bloop_numpy.step([SHARED], [SHARED], [SHARED], **WEIGHTS)
    is_exact(found, [SHARED], [SHARED], [SHARED])
    assert flat([SHARED]).sum() == SHARED.size


def test_threads_do_not_show(gradient: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = [gradient(i, shapes=((5 * BLOCK + 3,), (7,))) for i in range(3)]
    required = bloop_numpy.step(*vectors, **WEIGHTS)
    monkeypatch.setattr(linear, "SHARE", 1)
    monkeypatch.setattr(_threads, "threads", lambda: 3)
    found = bloop_numpy.step(*vectors, **WEIGHTS)
    for x, y in zip(chain(*found), chain(*required), strict=True):
        np.testing.assert_array_equal(x, y)
