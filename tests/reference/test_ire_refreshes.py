"""When and how IRE refreshes its mask, and what it refuses."""

from typing import Any

import numpy as np
import pytest

from bloop_ref import ire
from bloop_ref.ire import IRE
from tests.reference.test_ire import INF, NAN, bits


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
