"""Every problem's answer, three ways: by construction, by SciPy, by the first-order conditions."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from bloop_proofs.problems import (
    BilevelProblem,
    LeastSquares,
    Quadratic,
    least_squares,
    null_space_solution,
    quadratic,
    section_3_3,
)
from bloop_proofs.problems.agreement import scipy_agreement
from bloop_proofs.problems.constants import constants
from bloop_proofs.problems.strategies import SEEDS, finite_sums, quadratics
from tests.convergence.agreement import closed_form_agreement
from tests.convergence.logistic import logistic
from tests.convergence.nonconvex import hyperbola, sphere
from tests.convergence.steps import examples
from tests.convergence.strategies import problems


def radius(problem: BilevelProblem) -> float:
    return float(np.linalg.norm(problem.solution))


@given(problems())
@examples(150)
def test_solution_satisfies_the_first_order_conditions(problem: BilevelProblem) -> None:
    at, errors = problem.solution, problem.rounding_errors(radius(problem))
    assert np.linalg.norm(problem.grad_main(at)) <= errors.grad_main
    across = scipy.linalg.null_space(problem.constraint_jacobian(at))
    along_the_set = across.T @ problem.grad_aux(at)
    # turning the null space by the rounding errors of the Jacobian turns grad_aux along with it
    turned = np.linalg.cond(problem.constraint_jacobian(at)) * errors.grad_aux
    assert np.linalg.norm(along_the_set) <= errors.grad_aux + turned


@given(problems())
@examples(100)
def test_scipy_agrees_with_the_closed_form(problem: BilevelProblem) -> None:
    assert problem.distance(problem.solve_scipy()) <= scipy_agreement(problem)


@given(quadratics(max_conditioning=1000.0))
@examples(100)
def test_null_space_solution_agrees_with_the_construction(problem: Quadratic) -> None:
    assert problem.distance(null_space_solution(problem)) <= closed_form_agreement(problem)


@given(finite_sums())
@examples(50)
def test_finite_sum_is_solved_by_its_quadratic_form(problem: LeastSquares) -> None:
    found = null_space_solution(problem.quadratic)
    assert problem.distance(found) <= closed_form_agreement(problem.quadratic)


@given(problems(), SEEDS, st.floats(min_value=1e-5, max_value=0.5))
@examples(200)
def test_gradients_and_smoothness_belong_to_the_losses(
    problem: BilevelProblem, seed: int, length: float
) -> None:
    """|f(y) - f(x) - <grad f(x), y - x>| <= L / 2 ||y - x||^2, for both losses."""
    generator = np.random.default_rng(seed)
    x = problem.solution + generator.standard_normal(len(problem.solution))
    way = generator.standard_normal(len(x))
    y = x + length / np.linalg.norm(way) * way
    reach = max(float(np.linalg.norm(x)), float(np.linalg.norm(y)))
    errors = problem.rounding_errors(reach)
    for value, gradient, smooth, rounding, gradient_rounding in zip(
        (problem.main, problem.aux),
        (problem.grad_main, problem.grad_aux),
        problem.smoothness(reach),
        errors[:2],
        errors[2:],
        strict=True,
    ):
        bend = abs(value(y) - value(x) - gradient(x) @ (y - x))
        assert bend <= smooth / 2 * length**2 + 2 * rounding + gradient_rounding * length


@given(finite_sums())
@examples(30)
def test_finite_sum_is_the_mean_of_its_samples(problem: LeastSquares) -> None:
    exact = problem.exact()
    theta, batches = exact.start, exact.batches(2)
    mains = exact.sample_grads_main(theta)
    by_pairs = sum((mains[i] + mains[j]) / 2 for i, j in batches) / len(batches)
    assert np.all(by_pairs == exact.grad_main(theta))
    assert len(batches) == problem.samples * (problem.samples - 1) // 2


@given(finite_sums())
@examples(30)
def test_exact_copy_has_the_gradients_of_its_quadratic_form(problem: LeastSquares) -> None:
    theta, exact = problem.start, problem.exact()
    errors = problem.rounding_errors(float(np.linalg.norm(theta)))
    for name, bound in (("grad_main", errors.grad_main), ("grad_aux", errors.grad_aux)):
        in_fractions = getattr(exact, name)(exact.start).astype(float)
        assert np.linalg.norm(in_fractions - getattr(problem, name)(theta)) <= bound
        assert np.linalg.norm(in_fractions - getattr(problem.quadratic, name)(theta)) <= 2 * bound


@given(SEEDS, st.floats(min_value=1.0, max_value=100.0), st.floats(min_value=0.0, max_value=4.0))
@examples(50)
def test_quadratic_has_the_constants_asked_for(seed: int, conditioning: float, pull: float) -> None:
    problem = quadratic(5, 3, conditioning=conditioning, aux_conditioning=2.0, pull=pull, seed=seed)
    k, rounding = constants(problem), problem.rounding_errors(radius(problem))
    assert np.linalg.matrix_rank(problem.rows) == 3
    # the spectrum is that of a matrix of norm 1, off by the rounding of its p^2 entries
    spacing = len(problem.solution) ** 2 * np.finfo(float).eps
    assert abs(k.main_smoothness - 1) <= spacing
    assert abs(k.main_curvature - 1 / conditioning) <= spacing
    assert k.aux_smoothness <= 1 + spacing
    assert k.aux_curvature >= 0.5 - spacing
    assert k.coupling <= spacing
    assert abs(k.pull - pull) <= rounding.grad_aux


def test_section_3_3_has_the_gradients_of_the_paper() -> None:
    problem, theta = section_3_3(), np.array([3.0, -2.0])
    np.testing.assert_array_equal(problem.grad_main(theta), [3.0, 0.0])
    np.testing.assert_array_equal(problem.grad_aux(theta), [2.0, -2.0])
    np.testing.assert_array_equal(problem.solution, [0.0, 0.0])
    assert problem.main(theta) == 4.5
    assert problem.aux(theta) == 4.0 - 0.5


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: quadratic(3, 3), "rank must satisfy 1 <= rank < p = 3; found 3"),
        (lambda: quadratic(3, 1, conditioning=0.5), "must be at least 1; found"),
        (lambda: quadratic(3, 1, coupling=2.0), "coupling must lie in"),
        (lambda: quadratic(3, 1, pull=-1.0), "pull be at least 0"),
        (lambda: least_squares(3, 3, 1), "1 <= rank < p < samples; found 1, 3, 3"),
        (lambda: logistic(2, 0), "rank must satisfy 1 <= rank < p = 2; found 0"),
        (lambda: logistic(2, 1, pull=1.0), "pull must lie in"),
        (lambda: sphere(1), "p must be at least 2"),
        (lambda: hyperbola(0.0), "stretch must be positive; found 0.0"),
    ],
)
def test_bad_parameters_are_named(build: Callable[[], BilevelProblem], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_failure_of_scipy_is_an_error() -> None:
    problem = replace(hyperbola(), start=np.zeros(2))
    with pytest.raises(RuntimeError, match="SLSQP failed on hyperbola"):
        problem.solve_scipy()
