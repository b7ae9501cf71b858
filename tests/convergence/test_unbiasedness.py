"""E[d] = grad L_main + lam pi(grad L_aux; e), by enumerating every mini-batch, in fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_proofs.problems import LeastSquares, least_squares
from bloop_proofs.problems.arrays import UNIT_ROUNDOFF
from bloop_proofs.problems.strategies import finite_sums
from bloop_proofs.subject import Step
from bloop_proofs.tolerances import direction_bound
from tests.convergence.expectations import unbiasedness_gap
from tests.convergence.steps import bloop, examples, raw_gradient, updated_first

LAMS = st.fractions(min_value=0, max_value=10, max_denominator=16)
RHOS = st.fractions(min_value=0, max_value=1, max_denominator=16)


@given(finite_sums(), LAMS, RHOS, st.booleans(), st.data())
@examples(25)
def test_direction_is_unbiased_exactly(
    problem: LeastSquares, lam: Fraction, rho: Fraction, paired: bool, data: st.DataObject
) -> None:
    exact = problem.exact()
    size = data.draw(st.integers(min_value=1, max_value=problem.samples if paired else 1))
    entries = st.fractions(min_value=-4, max_value=4, max_denominator=8)
    p = len(exact.start)
    ema = np.array(data.draw(st.lists(entries, min_size=p, max_size=p)), dtype=object)
    gap = unbiasedness_gap(
        bloop, exact, exact.start, ema, lam=lam, rho=rho, size=size, paired=paired
    )
    assert all(entry == 0 for entry in gap)


@given(finite_sums(), st.floats(min_value=0, max_value=10), st.floats(min_value=0, max_value=1))
@examples(25)
def test_direction_is_unbiased_up_to_rounding_in_floats(
    problem: LeastSquares, lam: float, rho: float
) -> None:
    theta, ema = problem.start, problem.grad_main(problem.start / 2)
    gap = unbiasedness_gap(bloop, problem, theta, ema, lam=lam, rho=rho, size=1)
    radius = float(np.linalg.norm(theta))
    errors = problem.rounding_errors(radius)
    main = max(np.linalg.norm(problem.sample_grads_main(theta), axis=1))
    aux = max(np.linalg.norm(problem.sample_grads_aux(theta), axis=1))
    # the directions, their sum over the samples, and the two full gradients
    one = direction_bound(UNIT_ROUNDOFF, len(theta), main, aux, lam)
    summed = problem.samples * UNIT_ROUNDOFF * (main + lam * aux)
    full = errors.grad_main + lam * errors.grad_aux
    assert np.linalg.norm(gap) <= 2 * one + summed + full


@pytest.mark.parametrize("step", [updated_first, raw_gradient])
@pytest.mark.parametrize("seed", range(5))
def test_estimators_that_project_on_the_batch_are_biased(step: Step, seed: int) -> None:
    """Projecting on what depends on the batch is another estimator, and its bias is plain to see.

    Even the expected EMA, in place of the old one, does not make up for it.
    """
    problem = least_squares(4, 3, 2, seed=seed).exact()
    half = Fraction(1, 2)
    ema = problem.grad_main(problem.start * half)
    gap = unbiasedness_gap(step, problem, problem.start, ema, lam=1, rho=half, size=1)
    assert any(entry != 0 for entry in gap)
    updated = ema * half + problem.grad_main(problem.start) * half
    centre = updated if step is updated_first else problem.grad_main(problem.start)
    missed = unbiasedness_gap(step, problem, problem.start, centre, lam=1, rho=half, size=1)
    bias = float(np.linalg.norm(missed.astype(float)))
    assert bias > float(np.finfo(np.float32).eps)


@given(finite_sums(), RHOS)
@examples(10)
def test_the_whole_sum_as_a_batch_is_the_full_gradient(
    problem: LeastSquares, rho: Fraction
) -> None:
    """With one batch there is no noise: even the estimators above meet their own target."""
    exact = problem.exact()
    theta, size = exact.start, problem.samples
    on = exact.grad_main(theta)
    gap = unbiasedness_gap(raw_gradient, exact, theta, on, lam=3, rho=rho, size=size)
    assert all(entry == 0 for entry in gap)
