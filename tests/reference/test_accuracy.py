"""The error of the direction against exact arithmetic, in every library and dtype."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop_ref import bloop_direction, update_ema
from tests import tolerances

LAMS = (1.0, 0.1, 3.0, 0.015625, 100.0, 0.0)


def direction(g_main: Any, g_aux: Any, ema: Any, lam: Any) -> Any:
    return bloop_direction(g_main, g_aux, ema, lam=lam)


def factor(vector: Any, *, float64: bool = True) -> float:
    wide = ("float64", "complex128") if float64 else ("float32", "complex64")
    return tolerances.reference_direction_factor(
        sum(leaf.size * (2 if leaf.dtype.kind == "c" else 1) for leaf in vector),
        wider_sums=not any(leaf.dtype.name in wide for leaf in vector),
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@settings(max_examples=60)
@given(data=st.data(), lam=st.sampled_from(LAMS))
def test_numpy_is_within_the_bound(
    data: st.DataObject, lam: float, dtype: str, gradients: Any, roundings: Any
) -> None:
    vectors = data.draw(gradients(3, dtype))
    assert roundings(bloop_direction(*vectors, lam=lam), *vectors, lam=lam) <= factor(vectors[0])


@settings(max_examples=4)
@given(data=st.data(), lam=st.sampled_from(LAMS[:3]))
def test_every_library_is_within_the_bound(
    data: st.DataObject, lam: float, library: Any, gradients: Any, roundings: Any
) -> None:
    dtype = data.draw(st.sampled_from(library.dtypes("float32", "float64")))
    vectors = data.draw(gradients(3, dtype, shapes=[((2,), ())]))
    computed = library.run(direction)(*map(library.vector, vectors), lam)
    found = roundings(library.values(computed), *vectors, lam=lam)
    assert found <= factor(vectors[0], float64=library.float64)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
@given(data=st.data(), rho=st.sampled_from([0.0, 0.001, 0.5, 0.9, 1.0]))
def test_average_is_within_the_bound(
    data: st.DataObject, rho: float, dtype: str, gradients: Any, rational: Any
) -> None:
    e, g = data.draw(gradients(2, dtype))
    found = update_ema(e, g, rho=rho)
    assert average_error(found, e, g, rho, rational) <= average_bound(e, g)


@settings(max_examples=4)
@given(data=st.data(), rho=st.sampled_from([0.001, 0.75]))
def test_average_of_every_library_is_within_the_bound(
    data: st.DataObject, rho: float, library: Any, gradients: Any, rational: Any
) -> None:
    dtype = data.draw(st.sampled_from(library.dtypes("float32", "float64")))
    e, g = data.draw(gradients(2, dtype, shapes=[((2,), ())]))
    found = library.values(library.run(average)(library.vector(e), library.vector(g), rho))
    assert average_error(found, e, g, rho, rational) <= average_bound(e, g)


def average(ema: Any, g_main: Any, rho: Any) -> Any:
    return update_ema(ema, g_main, rho=rho)


def average_error(found: Any, e: Any, g: Any, rho: float, rational: Any) -> float:
    """Return the norm of the error of an average."""
    squares = Fraction(0)
    for x, y, z in zip(found, e, g, strict=True):
        for part in (np.real, np.imag):
            after, before, new = (rational(part(v).astype(np.float64)) for v in (x, y, z))
            errors = after - ((1 - Fraction(rho)) * before + Fraction(rho) * new)
            squares += np.sum(errors**2)
    return math.sqrt(squares)


def average_bound(e: Any, g: Any) -> float:
    main, ema = (math.hypot(*(abs(complex(x)) for leaf in v for x in leaf.flat)) for v in (g, e))
    return tolerances.reference_average_bound(tolerances.unit_roundoff(e), main, ema)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 2, 3, 1000])
@pytest.mark.parametrize("angle", [1e-1, 1e-4, 1e-8, 1e-12, 1e-16, 0.0])
@pytest.mark.parametrize("g_size", [0.0, 1e-8, 1.0])
def test_near_parallel_gradients(
    n: int, angle: float, g_size: float, dtype: str, roundings: Any
) -> None:
    rng = np.random.default_rng(n)
    for _ in range(8):
        along, across, main = rng.normal(size=(3, n))
        numbers = (g_size * main, rng.normal() * along + angle * across, along)
        g, a, e = ([x.astype(dtype)] for x in numbers)
        lam = rng.uniform(0.1, 2.0)
        assert roundings(bloop_direction(g, a, e, lam=lam), g, a, e, lam=lam) <= factor(g)


@pytest.mark.parametrize("dtype", [">f2", ">f4", ">f8", "<f8"])
@settings(max_examples=20)
@given(data=st.data(), lam=st.sampled_from(LAMS))
def test_either_byte_order_is_within_the_bound(
    data: st.DataObject, lam: float, dtype: str, gradients: Any, roundings: Any
) -> None:
    native = np.dtype(dtype).newbyteorder("=")
    vectors = data.draw(gradients(3, native.name))
    swapped = [[leaf.astype(dtype) for leaf in vector] for vector in vectors]
    found = bloop_direction(*swapped, lam=lam)
    assert all(leaf.dtype == np.dtype(dtype) for leaf in found)
    found = [leaf.astype(native) for leaf in found]
    assert roundings(found, *vectors, lam=lam) <= factor(vectors[0])
    for x, y in zip(found, bloop_direction(*vectors, lam=lam), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", [">f8", ">c16"])
def test_big_endian_float64_at_extreme_scales(dtype: str, roundings: Any) -> None:
    rng = np.random.default_rng(22)
    for size in (1e-300, 1e300):
        g, a, e = ([(size * rng.uniform(0.5, 1, 3)).astype(dtype)] for _ in range(3))
        found = bloop_direction(g, a, e, lam=0.5)
        assert found[0].dtype == np.dtype(dtype)
        native = [[v[0].astype(v[0].dtype.newbyteorder("="))] for v in (found, g, a, e)]
        assert roundings(*native, lam=0.5) <= factor(native[0])


@pytest.mark.parametrize(("dtype", "spread"), [("float32", 0), ("float64", 12)])
def test_long_vectors(dtype: str, spread: int, roundings: Any) -> None:
    rng = np.random.default_rng(7)
    sizes = 10.0 ** rng.uniform(-spread, spread, size=(3, 100_000))
    g, a, e = ([x.astype(dtype)] for x in sizes * rng.normal(size=sizes.shape))
    assert roundings(bloop_direction(g, a, e, lam=0.7), g, a, e, lam=0.7) <= factor(g)


@pytest.mark.parametrize(
    ("g", "a", "e"),
    [
        # 1 / 3 and 2 / 3 are not exact: the products cancel to their rounding errors
        ([0.0, 0.0], [1 / 3, 2 / 3], [2 / 3, -1 / 3]),
        # <a, e> is the last bit of a sum of two products
        ([1.0, 1.0], [1 + 2.0**-52, 1.0], [1 - 2.0**-53, -1.0]),
        # a large entry hides a small one
        ([0.0, 0.0], [2.0**60, 1.0], [2.0**-60, 3.0]),
        ([0.0], [1 + 2.0**-52], [3.0]),
        ([-0.1], [0.1], [0.3]),
    ],
)
def test_cancellation(g: list[float], a: list[float], e: list[float], roundings: Any) -> None:
    vectors = [[np.array(x)] for x in (g, a, e)]
    assert roundings(bloop_direction(*vectors, lam=1.0), *vectors, lam=1.0) <= factor(vectors[0])
