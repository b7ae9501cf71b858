"""The amplified step of IRE and its state: laws, refreshes, schedules, bad scores, errors."""

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_ref import ire
from bloop_ref.ire import IRE
from tests.tolerances import amplified_bound

NAN, INF = float("nan"), float("inf")
NUMBERS = st.builds(Fraction, st.integers(-9, 9), st.integers(1, 9))
ENTRIES = st.lists(st.tuples(NUMBERS, NUMBERS, st.booleans()), min_size=1, max_size=5)
KAPPAS = st.builds(Fraction, st.integers(0, 20), st.integers(1, 9))
FLOATS = st.floats(-1e3, 1e3, width=32)


def objects(values: Any) -> np.ndarray:
    return np.array(list(values), dtype=object)


@given(ENTRIES, KAPPAS)
def test_flat_displacements_are_multiplied_and_sharp_ones_kept(
    entries: Any, kappa: Fraction
) -> None:
    before, after, flat = zip(*entries, strict=True)
    found = ire.amplify(objects(before), objects(after), np.array(flat), kappa=kappa)
    assert found.tolist() == [a + (1 + kappa) * (b - a) if n else b for a, b, n in entries]


@given(st.lists(st.tuples(FLOATS, FLOATS, st.booleans()), min_size=1, max_size=5), FLOATS.map(abs))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding(dtype: str, entries: Any, kappa: float) -> None:
    before, after, flat = (np.array(x) for x in zip(*entries, strict=True))
    u = float(np.finfo(dtype).eps) / 2
    found = ire.amplify(before.astype(dtype), after.astype(dtype), flat, kappa=kappa)
    assert found.dtype == dtype
    for x, (a, b, n) in zip(found.tolist(), entries, strict=True):
        further = Fraction(kappa) * (Fraction(b) - Fraction(a)) if n else Fraction(0)
        exact = Fraction(b) + further
        assert abs(Fraction(x) - exact) <= amplified_bound(
            u, float(abs(exact)), float(abs(further))
        )


def bits(tree: Any) -> list[bytes]:
    return [leaf.tobytes() for leaf in optree.tree_leaves(tree)]


ODD = [0.0, -0.0, 1.5, -2.0, 1e-320, INF, -INF, NAN]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_without_enhancement_the_step_is_the_base_steps_bit_for_bit(dtype: str) -> None:
    """Zeros keep their sign, and nothing infinite becomes NaN."""
    before, after = np.array([(a, b) for a in ODD for b in ODD]).astype(dtype).T
    nothing = np.zeros(before.shape, np.bool)
    for mask, kappa in ((nothing, 3.0), (~nothing, 0.0), (None, 3.0)):
        found = ire.amplify(before, after, mask, kappa=kappa)
        assert bits(found) == bits(np.ascontiguousarray(after))
        assert not np.shares_memory(found, after)


def test_where_the_base_does_not_move_nothing_does() -> None:
    values = np.array([x for x in ODD if np.isfinite(x)])
    everything = np.ones(values.shape, np.bool)
    assert bits(ire.amplify(values, values.copy(), everything, kappa=7.0)) == bits(values)


def test_a_bad_step_is_seen() -> None:
    found = ire.amplify(np.zeros(3), np.array([NAN, INF, NAN]), np.array([1, 1, 0]) > 0, kappa=2.0)
    assert np.isnan(found[0])
    assert np.isinf(found[1])
    assert np.isnan(found[2])


def test_none_is_zero() -> None:
    moved = np.array([1.0, -0.0])
    flat = np.array([True, True])
    before = [None, moved, None, moved]
    after = [moved, None, None, moved]
    found = ire.amplify(before, after, [flat, flat, None, None], kappa=2.0)
    assert found[0].tolist() == [3.0, 0.0]
    assert bits(found[0]) == bits(np.array([3.0, -0.0]))
    assert found[1].tolist() == [-2.0, 0.0]
    assert found[2] is None
    assert found[3].tolist() == [1.0, 0.0]


def test_half_precision_is_computed_in_float32() -> None:
    """60000 is near float16's largest; 4 times the displacement would overflow before the sum."""
    before, after = np.array([60000.0], np.float16), np.array([30000.0], np.float16)
    found = ire.amplify(before, after, np.array([True]), kappa=2.5)
    assert found.dtype == np.float16
    assert found.tolist() == [np.float16(-45000.0)]


def quadratic(h: Any, eta: Any) -> Callable[[Any], Any]:
    return lambda theta: theta - eta * h * theta


def test_each_coordinate_contracts_by_its_own_factor(rational: Callable[[Any], Any]) -> None:
    """1 - eta (1 + kappa n) h; with h = (1, 1, .01, .01), eta = 1, kappa = 9: .9, not .99."""
    h = [Fraction(1)] * 2 + [Fraction(1, 100)] * 2
    ir, theta = IRE(Fraction(9), 0.5, interval=1), rational(np.array([1, 2, 3, 4]))
    state = ir.refresh(objects(h), ir.init(theta))
    moved, _ = ir.step(theta, quadratic(objects(h), Fraction(1))(theta), state)
    assert moved.tolist() == [0, 0, Fraction(27, 10), Fraction(36, 10)]


@pytest.mark.parametrize(("kappa", "stable"), [(197.0, True), (199.5, False)])
def test_flat_coordinates_are_stable_below_two_over_their_curvature(
    kappa: float, stable: bool
) -> None:
    """eta (1 + kappa) h < 2, h = 0.01 and eta = 1, whatever the sharp coordinate allows."""
    h = np.array([1.0, 0.01])
    ir, theta = IRE(kappa, 0.5), np.ones(2)
    state = ir.refresh(h, ir.init(theta))
    for _ in range(2000):
        theta, state = ir.step(theta, quadratic(h, 1.0)(theta), state)
    assert bool(abs(theta[1]) < 1) is stable
    assert theta[0] == 0


def test_the_base_state_does_not_depend_on_kappa() -> None:
    """Momentum sees the gradient alone: for the same gradients, the buffer is the same."""
    gradients = np.random.default_rng(0).normal(size=(5, 4))
    buffers = []
    for kappa in (0.0, 5.0):
        ir, theta, buffer = IRE(kappa, 0.5, interval=1), np.zeros(4), np.zeros(4)
        state = ir.init(theta)
        for g in gradients:
            buffer = 0.9 * buffer + g
            state = ir.refresh(ire.curvature(g), state)
            theta, state = ir.step(theta, theta - 0.1 * buffer, state)
        buffers.append(buffer)
    assert bits(buffers[0]) == bits(buffers[1])


def test_inputs_are_not_written() -> None:
    ir = IRE(2.0, 0.5, rho=0.5)
    theta, after, score = np.ones(3), np.zeros(3), np.array([1.0, 2.0, 3.0])
    state = ir.init(theta)
    kept = bits([theta, after, score, state.mask, state.score])
    ir.step(theta, after, ir.refresh(score, state))
    assert bits([theta, after, score, state.mask, state.score]) == kept


def test_a_new_process_imports_nothing_heavy() -> None:
    heavy = {"torch", "jax", "dask", "scipy", "sympy", "hypothesis"}
    code = f"import sys; from bloop_ref import ire; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_an_average_of_curvatures_of_complex_parameters_is_real(dtype: str) -> None:
    params = np.array([3 + 4j, 1 + 0j, 0 + 2j], dtype)
    method = ire.IRE(kappa=1.0, fraction=0.5, rho=0.5)
    state = method.init(params)
    for _ in range(2):
        state = method.refresh(ire.curvature(params), state)
    np.testing.assert_array_equal(state.score, [18.75, 0.75, 3.0])
    assert state.score.dtype == np.real(params).dtype
