"""Scales: powers of two pass through bit for bit, and nothing overflows or underflows."""

from typing import Any

import numpy as np
import optree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop_ref import (
    Bloop,
    bloop_direction,
    diagnostics,
    hierarchical_direction,
    inner_products,
    project_orthogonal,
    surgery,
    update_ema,
)
from tests import tolerances

FEW = settings(max_examples=20)
POWERS = st.integers(-900, 900)
APART = st.integers(-300, 300)
"""Of entries between 2^-60 and 2^60: two vectors then lie no more than 2^470 apart."""

METHODS = [surgery.Mixed, surgery.PCGrad, surgery.DynamicBarrier]


def scaled(tree: Any, power: int) -> Any:
    return optree.tree_map(lambda x: np.ldexp(x, power), tree)


def assert_same(found: Any, expected: Any) -> None:
    optree.tree_map(np.testing.assert_array_equal, found, expected)


@pytest.fixture
def vectors(gradients: Any) -> Any:
    """Four gradients with entries between 2^-60 and 2^60, so that 2^900 leaves them in range."""

    def tame(drawn: Any) -> Any:
        return optree.tree_map(lambda x: np.sign(x) * np.abs(x) ** 0.5, drawn)

    return gradients(4, "float64").map(tame)


@FEW
@given(data=st.data(), power=POWERS, apart=APART)
def test_projection_keeps_powers_of_two(
    data: st.DataObject, power: int, apart: int, vectors: Any
) -> None:
    u, v, w, _ = data.draw(vectors)
    part = project_orthogonal(u, v)
    assert_same(project_orthogonal(scaled(u, power), scaled(v, power)), scaled(part, power))
    assert_same(project_orthogonal(scaled(u, apart), v), scaled(part, apart))
    assert_same(project_orthogonal(u, scaled(v, apart)), part)
    off_both = project_orthogonal(u, v, w)
    together = project_orthogonal(*(scaled(x, power) for x in (u, v, w)))
    assert_same(together, scaled(off_both, power))
    assert_same(project_orthogonal(scaled(u, apart), v, w), scaled(off_both, apart))
    assert_same(project_orthogonal(u, scaled(v, apart), w), off_both)
    assert_same(project_orthogonal(u, v, scaled(w, apart)), off_both)


@FEW
@given(data=st.data(), power=POWERS, apart=APART)
def test_direction_keeps_powers_of_two(
    data: st.DataObject, power: int, apart: int, vectors: Any
) -> None:
    g, a, e, _ = data.draw(vectors)
    d = bloop_direction(g, a, e, lam=0.3)
    every = bloop_direction(*(scaled(x, power) for x in (g, a, e)), lam=0.3)
    assert_same(every, scaled(d, power))
    assert_same(bloop_direction(g, a, scaled(e, apart), lam=0.3), d)
    assert_same(bloop_direction(g, scaled(a, apart), e, lam=np.ldexp(0.3, -apart)), d)
    both = bloop_direction(scaled(g, apart), scaled(a, apart), e, lam=0.3)
    assert_same(both, scaled(d, apart))
    # no inner product with g_main is read
    main = bloop_direction(scaled(g, power), a, e, lam=np.ldexp(0.3, power))
    assert_same(main, scaled(d, power))


@FEW
@given(data=st.data(), power=POWERS)
def test_average_keeps_powers_of_two(data: st.DataObject, power: int, vectors: Any) -> None:
    g, _, e, _ = data.draw(vectors)
    average = update_ema(e, g, rho=0.3)
    both = update_ema(scaled(e, power), scaled(g, power), rho=0.3)
    assert_same(both, scaled(average, power))


@pytest.mark.parametrize("method", METHODS)
@FEW
@given(data=st.data(), power=POWERS, apart=APART)
def test_methods_keep_powers_of_two(
    data: st.DataObject, power: int, apart: int, method: Any, vectors: Any
) -> None:
    m, a, _, _ = data.draw(vectors)
    d = method(0.3)(m, a)
    assert_same(method(0.3)(scaled(m, power), scaled(a, power)), scaled(d, power))
    assert_same(method(np.ldexp(0.3, -apart))(m, scaled(a, apart)), d)


@FEW
@given(data=st.data(), power=POWERS, apart=APART)
def test_hierarchy_keeps_powers_of_two(
    data: st.DataObject, power: int, apart: int, vectors: Any
) -> None:
    g_0, g_1, g_2, r_1 = data.draw(vectors)
    d = hierarchical_direction([g_0, g_1, g_2], [g_0, r_1], lams=[0.3, 0.7])
    gradients = [scaled(g, power) for g in (g_0, g_1, g_2)]
    references = [scaled(r, power) for r in (g_0, r_1)]
    found = hierarchical_direction(gradients, references, lams=[0.3, 0.7])
    assert_same(found, scaled(d, power))
    gradients = [scaled(g, apart) for g in (g_0, g_1, g_2)]
    found = hierarchical_direction(gradients, [g_0, scaled(r_1, apart)], lams=[0.3, 0.7])
    assert_same(found, scaled(d, apart))


@FEW
@given(data=st.data(), power=APART, other=st.integers(-170, 170))
def test_inner_products_keep_powers_of_two(
    data: st.DataObject, power: int, other: int, vectors: Any
) -> None:
    u, v, _, _ = data.draw(vectors)
    (_, uv), _ = inner_products([u, v])
    power, other = power + other, power - other  # at most 340 apart
    (_, found), _ = inner_products([scaled(u, power), scaled(v, other)])
    np.testing.assert_array_equal(found, np.ldexp(uv, power + other))


@FEW
@given(data=st.data(), power=APART)
def test_diagnostics_keep_powers_of_two(data: st.DataObject, power: int, vectors: Any) -> None:
    g, a, e, _ = data.draw(vectors)
    plain, large = diagnostics(g, a, e), diagnostics(g, scaled(a, power), e)
    for name in ("norm_aux", "coefficient"):
        np.testing.assert_array_equal(getattr(large, name), np.ldexp(getattr(plain, name), power))
    for name in ("norm_main", "norm_ema", "cos_main_aux", "cos_main_ema", "cos_aux_ema"):
        np.testing.assert_array_equal(getattr(large, name), getattr(plain, name))


@pytest.mark.parametrize("g_size", [0.0, 1e-300, 1.0, 1e300])
@pytest.mark.parametrize("a_size", [0.0, 1e-300, 1e-160, 1.0, 1e160, 1e300])
@pytest.mark.parametrize("apart", [0.0, 1e-140, 1.0, 1e140])
def test_extreme_and_mixed_scales(
    g_size: float, a_size: float, apart: float, roundings: Any
) -> None:
    rng = np.random.default_rng(5)
    e_size = a_size * apart if a_size else apart
    if apart and not 1e-301 < e_size < 1e301:
        e_size = a_size / apart
    g, a, e = ([size * rng.uniform(0.5, 1, 7)] for size in (g_size, a_size, e_size))
    bound = tolerances.reference_direction_factor(7, wider_sums=False)
    for lam in (0.0, 0.1, 1.0):
        assert roundings(bloop_direction(g, a, e, lam=lam), g, a, e, lam=lam) <= bound


def test_a_zero_vector_does_not_set_the_scale() -> None:
    rng = np.random.default_rng(16)
    a, e = rng.normal(size=(2, 7)) * 10.0 ** rng.uniform(-30, 0, size=(2, 7))
    expected = bloop_direction([np.zeros(7)], [a], [e], lam=0.3)
    off_both = project_orthogonal([a], [np.zeros(7)], [e])
    small, span = np.ldexp(a, -850), np.ldexp(e, -850)
    for zero in (np.zeros(7), None):
        found = bloop_direction([zero], [small], [span], lam=0.3)
        assert_same(found, scaled(expected, -850))
        assert_same(project_orthogonal([small], [zero], [span]), scaled(off_both, -850))
        # pi(u; 0) = u
        assert_same(project_orthogonal([small], [zero]), [small])
        assert_same(bloop_direction([zero], [small], [zero], lam=0.5), [small / 2])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("edge", ["smallest_normal", "max"])
def test_at_the_edge_of_a_dtype(dtype: str, edge: str, roundings: Any) -> None:
    size = np.asarray(getattr(np.finfo(dtype), edge))
    # the factors leave the result between the smallest and the largest number of the dtype
    factors = (1, 0.25) if edge == "max" else (4, 1)
    g = [size * np.array([factors[1], -factors[1], factors[1]], dtype)]
    a = [size * np.array([factors[0], factors[0], -factors[0]], dtype)]
    d = bloop_direction(g, a, a, lam=1.0)
    bound = tolerances.reference_direction_factor(3, wider_sums=dtype != "float64")
    assert roundings(d, g, a, a, lam=1.0) <= bound
    assert_same(project_orthogonal(a, [size * np.array([0, 1, 0], dtype)]), [a[0] * [1, 0, 1]])


def test_every_library_at_extreme_scales(library: Any, roundings: Any) -> None:
    # 1e30 squared overflows float32, the widest dtype of some devices; 1e300 squared float64
    dtype, tiny, huge = ("float64", 1e-300, 1e300) if library.float64 else ("float32", 1e-30, 1e30)
    far = 1e140 if library.float64 else 1e12
    direction = library.run(lambda g, a, e: bloop_direction(g, a, e, lam=0.5))
    rng = np.random.default_rng(6)
    for sizes in (
        (huge, huge, huge),
        (tiny, tiny, tiny),
        (1, huge, huge / far),
        (huge, tiny, tiny * far),
        (tiny, 1, far),
    ):
        g, a, e = ([(s * rng.uniform(0.5, 1, 2)).astype(dtype)] for s in sizes)
        d = library.values(direction(*map(library.vector, (g, a, e))))
        bound = tolerances.reference_direction_factor(2, wider_sums=False)
        assert roundings(d, g, a, e, lam=0.5) <= bound
    with np.errstate(invalid="ignore"):  # dask computes where the reference is done
        g, a, e = (library.vector([np.full(2, s, dtype)]) for s in (1, huge, tiny))
        assert not np.any(np.isfinite(library.values(direction(g, a, e))[0]))


def test_every_library_keeps_powers_of_two(library: Any) -> None:
    dtype, power, apart = ("float64", 700, 400) if library.float64 else ("float32", 50, 40)
    direction = library.run(lambda g, a, e: bloop_direction(g, a, e, lam=0.5))
    g, a, e = np.random.default_rng(8).normal(size=(3, 2)).astype(dtype)
    for of_gradients, of_ema in ((power, power), (-power, apart - power), (0, -apart)):
        found, expected = (
            library.values(direction(*(library.vector([x]) for x in vectors)))
            for vectors in (
                (np.ldexp(g, of_gradients), np.ldexp(a, of_gradients), np.ldexp(e, of_ema)),
                (g, a, e),
            )
        )
        assert_same(found, scaled(expected, of_gradients))


def test_float16_does_not_overflow() -> None:
    g = np.full(5000, 100.0, np.float16)  # ||g||^2 is 5e7, above the largest float16
    np.testing.assert_array_equal(bloop_direction(g, -g, g, lam=1.0), g)


def test_average_of_float16_gradients_does_not_stall() -> None:
    g, rho, steps = np.full(1, 100.0, np.float16), 0.001, 3000
    bloop = Bloop(1.0, rho)
    state = bloop.init(g)
    for _ in range(steps):
        _, state = bloop.step([g, g], state)
    bound = tolerances.average_drift(2.0**-24, 100.0, rho)
    assert abs(float(state.ema[0]) - 100 * (1 - (1 - rho) ** steps)) <= bound
