"""Proposition 1 in both directions, with its constants."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_proofs.problems import Array, Quadratic, quadratic, section_3_3
from bloop_proofs.problems.arrays import UNIT_ROUNDOFF
from bloop_proofs.problems.proposition_1 import ErrorBounded, first_order_point, small_direction
from bloop_proofs.problems.strategies import SEEDS, quadratics
from bloop_proofs.tolerances import direction_bound
from tests.convergence.nonconvex import Sphere, sphere
from tests.convergence.steps import examples, full_batch, mixed
from tests.convergence.strategies import spheres

LAMS = st.floats(min_value=0.125, max_value=8.0)
PROBLEMS = st.one_of(quadratics(), spheres())


def rounding(problem: Quadratic | Sphere, theta: Array, lam: float) -> float:
    """What rounding does to d and to pi: gradients are off, and the projection turns with g."""
    errors = problem.rounding_errors(float(np.linalg.norm(theta)))
    g, a = problem.grad_main(theta), problem.grad_aux(theta)
    main, aux = float(np.linalg.norm(g)), float(np.linalg.norm(a))
    turned = 2 * errors.grad_main / main * aux
    step = direction_bound(UNIT_ROUNDOFF, len(theta), main, aux, lam)
    return errors.grad_main + lam * (errors.grad_aux + turned) + step


@given(PROBLEMS, SEEDS, LAMS, st.floats(min_value=-4, max_value=-0.5))
@examples(150)
def test_a_small_direction_is_a_nearly_first_order_point(
    problem: Quadratic | Sphere, seed: int, lam: float, exponent: float
) -> None:
    way = np.random.default_rng(seed).standard_normal(len(problem.solution))
    theta = problem.solution + 10**exponent / np.linalg.norm(way) * way
    one = rounding(problem, theta, lam)
    main, pi, multiplier = small_direction(full_batch, problem, theta, lam)
    assert main.left <= main.right + one
    assert pi.left <= pi.right + one / lam
    # the multiplier's residual is pi, and H v - along computed to the accuracy of gradients
    lost = one / lam * (2 + problem.smoothness(2.0)[0] * problem.error_bound(theta))
    assert multiplier.left <= multiplier.right + 2 * lost


@given(PROBLEMS, LAMS, st.floats(min_value=-5, max_value=-1))
@examples(150)
def test_a_first_order_point_has_small_directions_nearby(
    problem: Quadratic | Sphere, lam: float, exponent: float
) -> None:
    epsilon = 10**exponent
    found = first_order_point(full_batch, problem, lam, epsilon)
    a = problem.grad_aux(problem.solution)
    v = np.linalg.pinv(problem.hessian_main(problem.solution)) @ a
    # without a pull g is zero or rounding, and pi(a; g) of a nearly zero a is no larger than it
    theta = problem.solution + epsilon * v
    errors = problem.rounding_errors(float(np.linalg.norm(theta)))
    pulled = float(np.linalg.norm(a)) > np.sqrt(UNIT_ROUNDOFF)
    noise = rounding(problem, theta, lam) if pulled else (1 + lam) * sum(errors)
    assert found.left <= found.right + noise


@pytest.mark.parametrize(
    "problem",
    [quadratic(4, 2, pull=1.0, coupling=0.5, seed=1), sphere(3), section_3_3()],
    ids=lambda problem: problem.name.split("(")[0],
)
def test_mixed_training_fails_the_converse(problem: ErrorBounded) -> None:
    """Its direction at a first-order point is lam grad_aux, which does not vanish."""
    found = first_order_point(mixed, problem, 1.0, 1e-3)
    assert found.left > 10 * found.right
