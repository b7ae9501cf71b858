"""Steps between: which they are, what they are told of, and what is refused."""

from typing import Any

import numpy as np
import optree
import pytest

from bloop_proofs.tolerances import unit_roundoff
from bloop_ref import Bloop, every, surgery
from tests.reference.test_every import same, state_of


def test_lam_and_kappa_are_those_of_the_step() -> None:
    lams, kappas = (1.0, 0.5, 2.0), (1.0, 1.0, 0.25)
    scheduled = Bloop(lambda t: lams[int(t)], 0.5, every=2, kappa=lambda t: kappas[int(t)])
    g, a, b = np.random.default_rng(2).normal(size=(3, 4))
    state = expected_state = scheduled.init(g)
    for t, gradients in enumerate(([g, a], [a], [b, g])):
        found, state = scheduled.step(gradients, state)
        by_hand = Bloop(lams[t], 0.5, every=2, kappa=kappas[t])
        expected, expected_state = by_hand.step(gradients, expected_state)
        same((found, state), (expected, expected_state))


def test_rescaling_divides_steps_between_too() -> None:
    x, ema, held = np.random.default_rng(3).normal(size=(3, 4))
    state = state_of(ema, held, count=1)
    plain, plain_after = Bloop(3.0, 0.5, every=2).step([x], state)
    scaled, after = Bloop(3.0, 0.5, every=2, rescale=True).step([x], state)
    same(optree.tree_map(lambda d: 4 * d, scaled), plain)
    same(after, plain_after)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_enters_no_memory(bad: float) -> None:
    """Neither a bad x, nor on a full step a bad auxiliary gradient, which Bloop would let pass."""
    method = Bloop(1.0, 0.5, every=2)
    g_main, g_aux, wrong = np.ones(2), np.array([1.0, 2.0]), np.array([1.0, bad])
    _, state = method.step([g_main, g_aux], method.init(g_main))
    direction, after = method.step([wrong], state)
    assert not np.isfinite(direction).all()
    same((after.memory, after.skipped), (state.memory, 1))
    for gradients in ([g_main, wrong], [wrong, g_aux]):
        _, later = method.step(gradients, after)
        same((later.memory, later.skipped), (state.memory, 2))
    with pytest.raises(FloatingPointError, match=r"^gradients\[0\] must be finite"):
        Bloop(1.0, 0.5, every=2, nonfinite="raise").step([wrong], state)


@pytest.mark.parametrize("nonfinite", ["skip", "propagate"])
def test_steps_between_wait_for_the_first_measured_gradient(nonfinite: Any) -> None:
    """Until then they are mixed training, move nothing, and are counted as skipped."""
    method = Bloop(1.0, 0.5, every=2, nonfinite=nonfinite)
    x = np.array([1.0, 2.0])
    nothing = state_of(np.zeros(2), np.zeros(2), count=1, skipped=1)
    direction, after = method.step([x], nothing)
    same(direction, x)
    same(after, state_of(np.zeros(2), np.zeros(2), count=2, skipped=2))
    _, after = method.step([x, 3 * x], after)
    same((after.memory, after.skipped), ((x / 2, 3 * x), 2))


def test_diagnostics_of_both_steps() -> None:
    """The residual is <g_aux - A, e> / (||g_aux|| ||e||)."""
    method = Bloop(1.0, 0.5, every=2)
    g_main, g_aux, ema, held = map(np.array, ([3.0, 4.0], [0.0, 5.0], [4.0, 0.0], [3.0, 0.0]))
    full = method.diagnostics([g_main, g_aux], state_of(ema, held, count=2))
    assert isinstance(full, every.FullStep)
    assert [float(x) for x in full.norms] == [5.0, 5.0, 4.0, 3.0]
    found = (full.norm_ema, full.norm_held, full.cos_main_ema, full.cos_aux_ema)
    assert [float(x) for x in found] == [4.0, 3.0, 0.6, 0.0]
    assert float(full.cos_aux_held) == float(full.coefficient) == 0.0
    assert float(full.residual) == -12 / (5 * 4)
    room = 2 * unit_roundoff([g_main])  # of a root of a difference near 1, and a product
    assert abs(float(full.drift) - np.sqrt(34) / 5) <= 2 * room
    named = full.as_dict("x/")
    assert (named["x/residual"], named["x/norm_held"]) == (full.residual, full.norm_held)
    between = method.diagnostics([g_main], state_of(ema, held, count=1))
    assert isinstance(between, every.StepBetween)
    found = (between.norm_mixed, between.norm_ema, between.norm_held, between.coefficient)
    assert [float(x) for x in found] == [5.0, 4.0, 3.0, 0.75]
    assert sorted(between.as_dict()) == sorted(
        ["norm_mixed", "norm_ema", "norm_held", "cos_mixed_ema", "cos_mixed_held", "cos_ema_held"]
    )
    with pytest.raises(AttributeError, match=r"come with a full step$"):
        _ = between.cos_aux_ema


def test_which_steps_are_full() -> None:
    assert [bool(Bloop(1, 1, every=3).full(t)) for t in range(5)] == [1, 0, 0, 1, 0]
    assert all(bool(m.full(t)) for m in (Bloop(1, 1), surgery.PCGrad()) for t in range(3))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"every": 0}, "^every must be an integer >= 1; found 0$"),
    ({"every": 2.0}, "^every must be an integer >= 1; found 2.0$"),
    ({"every": True}, "^every must be an integer >= 1; found True$"),
    ({"every": 2, "kappa": 0}, "^kappa must be above 0, or A would never move; found 0$"),
    ({"every": 2, "kappa": 1.5}, r"^kappa must be a number in \[0, 1\]; found 1.5$"),
    (
        {"every": 2, "project_on": "updated"},
        "^project_on must be 'previous' where every is above 1; found 'updated'$",
    ),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bloop(0.5, 0.5, **options)


def test_one_gradient_where_two_are_due() -> None:
    method, x = Bloop(0.5, 0.5, every=4), np.ones(2)
    state = method.init(x)
    with pytest.raises(ValueError, match=r"multiple of every=4: required 2 in step 0, found 1$"):
        method.step([x], state)
    _, state = method.step([x, x], state)
    method.step([x], state)
    with pytest.raises(ValueError, match=r"^gradients must be as many .* required 2, found 1$"):
        Bloop(0.5, 0.5).step([x], Bloop(0.5, 0.5).init(x))
    with pytest.raises(ValueError, match=r"^losses must be as many .* required 2, found 1$"):
        method.init(x, losses=1)
    with pytest.raises(ValueError, match=r"^method must have every=1; found every=4$"):
        surgery.PerLeaf(method)
