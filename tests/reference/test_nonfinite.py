"""NaN and infinity: always visible in the direction, never in the state through g_aux."""

from itertools import product
from typing import Any

import numpy as np
import optree
import pytest

from bloop_ref import (
    Bloop,
    HierarchicalBloop,
    bloop_direction,
    diagnostics,
    hierarchical_direction,
    inner_products,
    project_orthogonal,
    surgery,
    update_ema,
)

BAD = [np.nan, np.inf, -np.inf]
DTYPES = ["float32", "float64"]


def vectors(dtype: str = "float32") -> list[Any]:
    g, a, e = np.random.default_rng(4).normal(size=(3, 3)).astype(dtype)
    return [[x[:2], x[2]] for x in (g, a, e)]


def spoilt(vector: Any, bad: float) -> Any:
    leaf = vector[0].copy()
    leaf[1] = bad
    return [leaf, *vector[1:]]


def finite(vector: Any) -> bool:
    return all(bool(np.all(np.isfinite(x))) for x in optree.tree_leaves(vector))


def assert_same(found: Any, expected: Any) -> None:
    optree.tree_map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("lam", [0.0, 0.5])
def test_shows_in_the_direction(bad: float, dtype: str, which: int, lam: float) -> None:
    inputs = vectors(dtype)
    inputs[which] = spoilt(inputs[which], bad)
    direction = bloop_direction(*inputs, lam=lam)
    assert not finite(direction)
    if which == 0:
        # nothing but the entry itself, and that unchanged
        np.testing.assert_array_equal(direction[0][1], bad)
        assert np.isfinite(direction[0][0])


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("dtype", DTYPES)
def test_shows_in_every_function(bad: float, dtype: str) -> None:
    g, a, e = vectors(dtype)
    for u, v in ((spoilt(g, bad), a), (g, spoilt(a, bad))):
        assert not finite(project_orthogonal(u, v))
        assert not finite(project_orthogonal(u, e, v))
        assert not finite(update_ema(u, v, rho=0.5))
        assert not finite(inner_products([u, v])[0][1])
        assert not finite(diagnostics(u, v, e))
        for method in (surgery.Mixed(0.5), surgery.PCGrad(0.5), surgery.DynamicBarrier(0.5)):
            assert not finite(method(u, v))
        assert not finite(hierarchical_direction([u, v, e], [u, v], lams=[0.5, 0.5]))


def test_shows_in_every_library(library: Any) -> None:
    direction = library.run(lambda g, a, e: bloop_direction(g, a, e, lam=0.5))
    with np.errstate(invalid="ignore"):  # dask computes where the reference is done
        for bad, which in product((np.nan, np.inf), range(3)):
            inputs = vectors()
            inputs[which] = spoilt(inputs[which], bad)
            assert not finite(library.values(direction(*map(library.vector, inputs))))


def test_overflow_is_infinite_and_not_nan() -> None:
    d = bloop_direction([np.array([1e308, 1.0])], [np.array([1e308, 1.0])], [np.zeros(2)], lam=1)
    assert_same(d, [np.array([np.inf, 2.0])])
    found = inner_products([np.array([1e200]), np.array([1e200])])
    assert float(found[0][1]) == np.inf


@pytest.mark.parametrize("nonfinite", ["skip", "raise", "propagate"])
def test_an_auxiliary_gradient_never_reaches_the_state(nonfinite: Any, library: Any) -> None:
    g, a, _ = vectors()
    bloop = Bloop(0.5, 0.5, nonfinite=nonfinite, init="first")
    step, start = library.run(bloop.step), bloop.init(library.vector(g))
    for bad in (np.nan, np.inf):
        with np.errstate(invalid="ignore"):
            direction, state = step([library.vector(g), library.vector(spoilt(a, bad))], start)
            assert not finite(library.values(direction))
            assert_same(library.values(state.ema), g)
        assert int(library.fetch(state.skipped)) == 0


@pytest.mark.parametrize("project_on", ["previous", "updated"])
def test_skip(project_on: Any, library: Any) -> None:
    g, a, e = vectors()
    bloop = Bloop(0.5, 0.5, project_on=project_on)
    step, start = library.run(bloop.step), bloop.init(library.vector(g))
    start = start._replace(memory=(library.vector(e),))
    for bad in (np.nan, -np.inf):
        with np.errstate(invalid="ignore"):
            d, state = step([library.vector(spoilt(g, bad)), library.vector(a)], start)
            d, ema, count, skipped = library.values((d, state.ema, *state[2:]))
        expected = bloop_direction(spoilt(g, bad), a, e, lam=0.5)
        assert_same(d[1], expected[1])
        np.testing.assert_array_equal(d[0][1], bad)
        assert_same(ema, e)
        assert (int(count), int(skipped)) == (1, 1)


def test_propagate_is_the_bare_equation(library: Any) -> None:
    g, a, e = vectors()
    bloop = Bloop(0.5, 0.5, nonfinite="propagate")
    state = bloop.init(library.vector(g))._replace(memory=(library.vector(e),))
    _, state = bloop.step([library.vector(spoilt(g, np.nan)), library.vector(a)], state)
    assert_same(library.values(state.ema), update_ema(e, spoilt(g, np.nan), rho=0.5))
    assert int(library.fetch(state.skipped)) == 0


@pytest.mark.parametrize("bad", BAD)
def test_raise(bad: float) -> None:
    g, a, _ = vectors()
    bloop = Bloop(0.5, 0.5, nonfinite="raise")
    state = bloop.init(g)
    with pytest.raises(
        FloatingPointError, match=r"^gradients\[0\] must be finite; found NaN or infinity$"
    ):
        bloop.step([spoilt(g, bad), a], state)
    levels = HierarchicalBloop([0.5, 0.5], 0.5, nonfinite="raise")
    with pytest.raises(
        FloatingPointError,
        match=r"^gradients\[0\], gradients\[1\] must be finite; found NaN or infinity$",
    ):
        levels.step([g, spoilt(a, bad), g], levels.init(g, losses=3))
    # the last level is averaged nowhere
    direction, _ = levels.step([g, a, spoilt(g, bad)], levels.init(g, losses=3))
    assert not finite(direction)


def test_first_waits_for_a_finite_gradient(library: Any) -> None:
    g, a, e = vectors()
    bloop = Bloop(0.5, 0.25, init="first")
    step, state = library.run(bloop.step), bloop.init(library.vector(g))
    with np.errstate(invalid="ignore"):
        for bad in (np.nan, np.inf):
            _, state = step([library.vector(spoilt(g, bad)), library.vector(a)], state)
            assert_same(library.values(state.ema), [np.zeros(2), 0])
        direction, state = step([library.vector(e), library.vector(a)], state)
        assert_same(library.values(direction), bloop_direction(e, a, e, lam=0.5))
        assert_same(library.values(state.ema), update_ema(e, e, rho=0.25))
        _, state = step([library.vector(g), library.vector(a)], state)
    assert_same(library.values(state.ema), update_ema(update_ema(e, e, rho=0.25), g, rho=0.25))
    assert [int(library.fetch(x)) for x in (state.count, state.skipped)] == [4, 2]


def test_levels_skip_together(library: Any) -> None:
    g, a, e = map(library.vector, vectors())
    bad = library.vector(spoilt(vectors()[1], np.nan))
    levels = HierarchicalBloop([0.5, 0.5], 0.5)
    start = levels.init(g, losses=3)._replace(memory=(e, g))
    step = library.run(levels.step)
    with np.errstate(invalid="ignore"):
        for gradients in ([g, bad, g], [bad, a, g]):
            direction, state = step(gradients, start)
            assert not finite(library.values(direction))
            assert_same(library.values(state.memory), library.values(start.memory))
            assert [int(library.fetch(n)) for n in (state.count, state.skipped)] == [1, 1]
        # the last level is averaged nowhere
        direction, state = step([g, a, bad], start)
        assert not finite(library.values(direction))
        expected = tuple(update_ema(x, y, rho=0.5) for x, y in ((e, g), (g, a)))
        assert_same(library.values(state.memory), library.values(expected))
        assert [int(library.fetch(n)) for n in (state.count, state.skipped)] == [1, 0]


@pytest.mark.parametrize("nonfinite", ["skip", "propagate"])
@pytest.mark.parametrize("bad", BAD)
def test_what_other_methods_remember(bad: float, nonfinite: Any) -> None:
    g, a, e = vectors()
    for method in (
        surgery.MetaBalance(nonfinite=nonfinite),
        surgery.GradVac(0.5, nonfinite=nonfinite),
        surgery.SamGS(nonfinite=nonfinite),
    ):
        _, start = method.step([g, a], method.init(g))
        for gradients in ([spoilt(g, bad), e], [g, spoilt(e, bad)]):
            direction, state = method.step(gradients, start)
            assert not finite(direction)
            assert int(state.count) == 2
            kept = nonfinite == "skip"
            assert int(state.skipped) == kept
            remembered = state.memory, state.scalars
            assert finite(remembered) is kept
            if kept:
                assert_same(remembered, (start.memory, start.scalars))
    mixed = surgery.Mixed(0.5, nonfinite="raise")
    expected = r"^gradients\[0\], gradients\[1\] must be finite; found NaN or infinity$"
    with pytest.raises(FloatingPointError, match=expected):
        mixed(g, spoilt(a, bad))


def test_complex_parts() -> None:
    g = np.array([1 + 1j, complex(0, np.inf)])
    assert not np.all(np.isfinite(bloop_direction(g, g, np.ones(2) + 0j, lam=1)))
    bloop = Bloop(1, 0.5)
    _, state = bloop.step([g, g], bloop.init(g))
    np.testing.assert_array_equal(state.ema, [0, 0])
    assert int(state.skipped) == 1
