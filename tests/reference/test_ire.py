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


def test_refreshes_come_every_interval_after_the_warm_up() -> None:
    ir = IRE(1.0, 0.5, interval=3, warmup=4)
    due = [count for count in range(14) if ir.should_refresh(count)]
    assert due == [4, 7, 10, 13]
    assert ir.should_refresh(np.arange(8)).tolist() == [False] * 4 + [True, False, False, True]
    assert all(IRE(1.0, 0.5, interval=1).should_refresh(count) for count in range(5))


def test_warm_up_and_schedule() -> None:
    """During the warm-up the step is the base's, whatever mask there is; then kappa(count)."""
    ir = IRE(lambda count: 10.0 * int(count), 1.0, warmup=2)
    theta = np.ones(1)
    state = ir.refresh(theta, ir.init(theta))
    moves = []
    for _ in range(4):
        moved, state = ir.step(theta, theta - 1.0, state)
        moves.append(float(1.0 - moved[0]))
    assert moves == [1.0, 1.0, 21.0, 31.0]
    assert int(state.count) == 4


def test_before_the_first_refresh_nothing_is_amplified() -> None:
    ir = IRE(3.0, 1.0)
    theta = np.ones(2)
    moved, state = ir.step(theta, theta - 1.0, ir.init(theta))
    assert moved.tolist() == [0.0, 0.0]
    assert not state.mask.any()


def test_an_average_of_scores_makes_the_mask() -> None:
    ir = IRE(1.0, 0.5, rho=0.25)
    state = ir.init(np.zeros(2, np.float16))
    assert state.score.dtype == np.float32
    state = ir.refresh(np.array([8.0, 0.0]), state)
    assert state.mask.tolist() == [False, True]
    state = ir.refresh(np.array([0.0, 4.0]), state)  # averages 1.5 and 1
    assert state.score.tolist() == [1.5, 1.0]
    assert state.mask.tolist() == [False, True]
    assert ir.refresh(np.array([0.0, 4.0]), state).mask.tolist() == [True, False]


def test_without_an_average_no_score_is_kept() -> None:
    ir = IRE(1.0, 0.5)
    state = ir.init({"w": np.zeros(2), "frozen": None})
    assert state.score == {"w": None, "frozen": None}
    state = ir.refresh({"w": np.array([8.0, 0.0]), "frozen": np.ones(3)}, state)
    assert state.score == {"w": None, "frozen": None}
    assert state.mask["frozen"] is None
    assert state.mask["w"].tolist() == [False, True]


def test_a_score_that_is_none_is_zero_where_there_is_a_mask() -> None:
    ir = IRE(1.0, 0.5)
    state = ir.init([np.zeros(2), np.zeros(2)])
    assert [n.tolist() for n in ir.refresh([np.ones(2), None], state).mask] == [
        [False, False],
        [True, True],
    ]
    assert [n.tolist() for n in ir.refresh([None, None], state).mask] == [[True, True]] * 2


@pytest.mark.parametrize("bad", [NAN, INF])
@pytest.mark.parametrize("rho", [1, 0.5])
def test_a_bad_score_leaves_the_mask_and_is_counted(bad: float, rho: float) -> None:
    ir = IRE(1.0, 0.5, rho=rho)
    state = ir.refresh(np.array([1.0, 2.0]), ir.init(np.zeros(2)))
    after = ir.refresh(np.array([bad, 0.0]), state)
    assert after.mask.tolist() == state.mask.tolist() == [True, False]
    assert bits(after.score) == bits(state.score)
    assert int(after.skipped) == 1
    assert int(ir.refresh(np.array([1.0, 0.0]), after).skipped) == 1


def test_a_bad_score_raises_or_enters_if_wanted() -> None:
    bad = np.array([NAN, 1.0, 2.0, 3.0])
    ir = IRE(1.0, 0.5, nonfinite="raise")
    with pytest.raises(FloatingPointError, match="score must be finite"):
        ir.refresh(bad, ir.init(bad))
    ir = IRE(1.0, 0.5, nonfinite="propagate")
    state = ir.refresh(bad, ir.init(bad))
    assert state.mask.tolist() == [False, True, True, False]
    assert int(state.skipped) == 0


def test_options_reach_the_mask() -> None:
    score = np.array([1.0, 2.0, 2.0, 3.0])
    expected = {
        ("paper", "stable"): [True, True, False, False],
        ("paper", "include"): [True, True, True, False],
        ("topk_official", "stable"): [True, True, True, False],
    }
    for (convention, ties), marks in expected.items():
        ir = IRE(1.0, 0.5, convention=convention, ties=ties)  # type: ignore[arg-type]
        assert ir.refresh(score, ir.init(score)).mask.tolist() == marks


def test_inputs_are_not_written() -> None:
    ir = IRE(2.0, 0.5, rho=0.5)
    theta, after, score = np.ones(3), np.zeros(3), np.array([1.0, 2.0, 3.0])
    state = ir.init(theta)
    kept = bits([theta, after, score, state.mask, state.score])
    ir.step(theta, after, ir.refresh(score, state))
    assert bits([theta, after, score, state.mask, state.score]) == kept


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"kappa": -1.0}, ValueError, "kappa must be a finite number >= 0; found -1.0"),
        ({"kappa": "much"}, TypeError, "kappa must be"),
        ({"fraction": 2.0}, ValueError, "fraction must be"),
        ({"rho": 1.5}, ValueError, r"rho must be a number in \[0, 1\]"),
        ({"interval": 0}, ValueError, "interval must be an integer >= 1; found 0"),
        ({"interval": 2.0}, TypeError, "interval must be an integer"),
        ({"warmup": -1}, ValueError, "warmup must be an integer >= 0; found -1"),
        ({"warmup": True}, TypeError, "warmup must be an integer"),
        ({"ties": "none"}, ValueError, "ties must be one of"),
        ({"convention": "none"}, ValueError, "convention must be one of"),
        ({"nonfinite": "hide"}, ValueError, "nonfinite must be one of"),
    ],
)
def test_bad_options_are_named(options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        IRE(**{"kappa": 1.0, "fraction": 0.5, **options})


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        ([np.ones(2)], TypeError, r"mask\[0\] must be a boolean array; found float64"),
        ([[True, False]], ValueError, "mask must have the tree structure of the vectors"),
        (["yes"], TypeError, r"mask\[0\] must be a boolean array or None; found str"),
        ([np.ones((2, 1), np.bool)], ValueError, r"mask\[0\] must have the shape"),
    ],
)
def test_bad_masks_are_named(mask: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        ire.amplify([np.ones(2)], [np.ones(2)], mask, kappa=1.0)


def test_masks_of_another_library_are_named() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(TypeError, match=r"mask\[0\] must be an array of the vectors' library"):
        ire.amplify([np.ones(2)], [np.ones(2)], [torch.ones(2, dtype=torch.bool)], kappa=1.0)


def test_bad_vectors_and_states_are_named() -> None:
    ir = IRE(1.0, 0.5)
    state = ir.init(np.ones(2))
    with pytest.raises(ValueError, match="before must have the shape of after"):
        ir.step(np.ones(3), np.ones(2), state)
    with pytest.raises(ValueError, match=r"state\.mask must have the shape"):
        ir.refresh(np.ones(3), state)
    with pytest.raises(TypeError, match="state must be an IREState"):
        ir.refresh(np.ones(2), None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="state must be an IREState"):
        ir.step(np.ones(2), np.ones(2), tuple(state))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="kappa must be"):
        IRE(lambda _: -1.0, 0.5).step(np.ones(2), np.ones(2), state)


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
