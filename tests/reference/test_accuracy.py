"""The error of the direction against exact arithmetic, in every library and dtype."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop_proofs import tolerances
from bloop_ref import bloop_direction

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
@settings(max_examples=150)
@given(data=st.data(), lam=st.sampled_from(LAMS))
def test_numpy_is_within_the_bound(
    data: st.DataObject, lam: float, dtype: str, gradients: Any, roundings: Any
) -> None:
    vectors = data.draw(gradients(3, dtype))
    assert roundings(bloop_direction(*vectors, lam=lam), *vectors, lam=lam) <= factor(vectors[0])


@settings(max_examples=6)
@given(data=st.data(), lam=st.sampled_from(LAMS[:3]))
def test_every_library_is_within_the_bound(
    data: st.DataObject, lam: float, library: Any, gradients: Any, roundings: Any
) -> None:
    dtype = data.draw(st.sampled_from(library.dtypes("float32", "float64", "float16", "complex64")))
    vectors = data.draw(gradients(3, dtype, shapes=[((3,), (), (0, 2))]))
    computed = library.run(direction)(*map(library.vector, vectors), lam)
    found = roundings(library.values(computed), *vectors, lam=lam)
    assert found <= factor(vectors[0], float64=library.float64)


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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("spread", [0, 12])
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
