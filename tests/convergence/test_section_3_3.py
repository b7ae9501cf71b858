"""Section 3.3: Bloop reaches (0, 0) for every lam > 0, mixed training does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_proofs.problems import section_3_3
from bloop_proofs.problems.arrays import UNIT_ROUNDOFF
from bloop_proofs.problems.trajectories import run
from bloop_proofs.tolerances import direction_bound
from tests.convergence.steps import bloop, examples, full_batch, mixed

START = np.array([-1.5, 2.0])


def drift(lam: float, eta: float, steps: int) -> float:
    """Rounding of so many steps: neither coordinate ever grows, so the errors only add up.

    On the way ||g_main|| <= 1.5 + eta lam 2.5 and ||g_aux|| <= 5; theta - eta d rounds once more.
    """
    one = direction_bound(UNIT_ROUNDOFF, 2, 1.5 + eta * lam * 2.5, 5.0, lam)
    return steps * (eta * one + 2 * UNIT_ROUNDOFF * (5.0 + eta * lam * 5.0))


@given(st.floats(min_value=-3, max_value=3))
@examples(30)
def test_full_batch_is_two_geometric_sequences(exponent: float) -> None:
    """theta_t = ((1 - eta)^t a_0, (1 - eta lam)^t b_0), because d = (a, lam b)."""
    lam = 10**exponent
    eta, steps = 0.5 / max(1.0, lam), 12
    points = run(full_batch, section_3_3(), START, lam=lam, etas=[eta] * steps, rho=None)
    powers = np.arange(steps + 1)[:, None]
    expected = np.array([1 - eta, 1 - eta * lam]) ** powers * START
    assert np.abs(points - expected).max() <= drift(lam, eta, steps)


@given(st.floats(min_value=-3, max_value=3), st.floats(min_value=0.01, max_value=1))
@examples(30)
def test_ema_takes_one_mixed_step_and_then_the_same_sequences(exponent: float, rho: float) -> None:
    """The first EMA is zero, so the first step is mixed training's; later ones are as above."""
    lam = 10**exponent
    eta, steps = 0.5 / max(1.0, lam), 12
    points = run(bloop, section_3_3(), START, lam=lam, etas=[eta] * steps, rho=rho)
    first = np.array([START[0] * (1 - eta) - eta * lam * (START[0] - 1), (1 - eta * lam) * 2.0])
    powers = np.arange(steps)[:, None]
    expected = np.array([1 - eta, 1 - eta * lam]) ** powers * first
    assert np.abs(points[1:] - expected).max() <= drift(lam, eta, steps)


@pytest.mark.parametrize("lam", [0.1, 0.5, 1.0, 4.0, 20.0])
@pytest.mark.parametrize("rho", [None, 0.1])
def test_reaches_the_solution_that_mixed_training_misses(lam: float, rho: float | None) -> None:
    problem, eta = section_3_3(), 0.9 / max(1.0, lam)
    slowest = 1 - eta * min(1.0, lam)
    # so that the slower of the two sequences falls to a thousandth
    steps = int(np.ceil(np.log(1e-3) / np.log(slowest))) + 1
    start = problem.distance(START) + eta * lam * 5
    target = 1e-3 * start + drift(lam, eta, steps)
    step = full_batch if rho is None else bloop
    end = run(step, problem, START, lam=lam, etas=[eta] * steps, rho=rho)[-1]
    assert problem.distance(end) <= target
    # the second coordinate is the same; the first tends to lam / (1 + lam)
    missed = run(mixed, problem, START, lam=lam, etas=[eta / 2] * 2 * steps, rho=rho)[-1]
    assert problem.distance(missed) > 2 * target
