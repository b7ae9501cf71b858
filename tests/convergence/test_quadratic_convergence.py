"""Convergence on quadratic problems with the constants that docs/theory.md proves."""

from itertools import repeat

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bloop_proofs.problems import Array, BilevelProblem, Quadratic, quadratic, section_3_3
from bloop_proofs.problems.bounds import Setting, largest_step, radius_constant
from bloop_proofs.problems.recursion import distance_bounds, harmonic_steps, sufficient_steps
from bloop_proofs.problems.strategies import SEEDS, quadratics
from bloop_proofs.problems.trajectories import run
from tests.convergence.lyapunov import potential_decrease
from tests.convergence.steps import bloop, examples, full_batch, mixed
from tests.convergence.strategies import problems

LAMS = st.floats(min_value=0.125, max_value=8.0)
RHOS = st.floats(min_value=0.125, max_value=1.0)
SHARES = st.floats(min_value=0.125, max_value=0.9375)


def near(problem: BilevelProblem, seed: int, distance: float) -> Array:
    """A point in a random direction from the solution."""
    way = np.random.default_rng(seed).standard_normal(len(problem.solution))
    return problem.solution + distance / np.linalg.norm(way) * way


def distances(problem: BilevelProblem, points: Array) -> Array:
    return np.array([problem.distance(point) for point in points])


def setting(problem: Quadratic, lam: float, rho: float | None, share: float) -> Setting:
    """Steps of at most that share of the largest that the theorem covers."""
    return Setting(problem, lam, rho, share * largest_step(problem, lam, rho))


@given(problems(), SEEDS, LAMS, SHARES)
@examples(100)
def test_lemma_a_for_losses_of_every_kind(
    problem: BilevelProblem, seed: int, lam: float, share: float
) -> None:
    theta = near(problem, seed, 0.5)
    # grad_main(solution) = 0 and smoothness bound the step, and so the ball
    at = float(np.linalg.norm(problem.solution))
    pull = float(np.linalg.norm(problem.grad_aux(problem.solution)))
    radius = at + 2 + lam * pull
    smooth, aux_smooth = problem.smoothness(radius)
    eta = share / (smooth + lam * aux_smooth) / (1 + lam * pull)
    found = potential_decrease(full_batch, problem, theta, lam=lam, eta=eta, radius=radius)
    errors = problem.rounding_errors(radius)
    c = lam * eta * (smooth + lam * aux_smooth)
    # values and gradients of both losses enter, the gradients times lengths below 1
    assert found.left <= found.right + 4 * (1 + c) * (1 + lam) * sum(errors)


def test_mixed_training_breaks_lemma_a() -> None:
    """Where the losses pull apart, the mixed direction lowers V by less than the lemma demands."""
    theta = np.array([0.25, 0.0])
    found = potential_decrease(mixed, section_3_3(), theta, lam=1.0, eta=0.125, radius=1.0)
    assert found.left > found.right


@given(quadratics(), SEEDS, LAMS, SHARES, st.floats(min_value=-4, max_value=1))
@examples(20)
def test_theorem_a_without_ema(
    problem: Quadratic, seed: int, lam: float, share: float, exponent: float
) -> None:
    at, theta = setting(problem, lam, None, share), near(problem, seed, 10**exponent)
    etas = [at.largest_eta] * 40
    points = run(full_batch, problem, theta, lam=lam, etas=etas, rho=None, leaves=2)
    bounds = list(distance_bounds(at, etas, theta, None))
    assert np.all(distances(problem, points) <= bounds)


@given(quadratics(), SEEDS, LAMS, RHOS, SHARES, st.floats(min_value=-4, max_value=1))
@examples(20)
def test_theorem_a_with_ema(
    problem: Quadratic, seed: int, lam: float, rho: float, share: float, exponent: float
) -> None:
    at, theta = setting(problem, lam, rho, share), near(problem, seed, 10**exponent)
    etas = [at.largest_eta] * 40
    points = run(bloop, problem, theta, lam=lam, etas=etas, rho=rho, leaves=2)
    bounds = list(distance_bounds(at, etas, theta, np.zeros_like(theta)))
    assert np.all(distances(problem, points) <= bounds)


TAME = quadratics(max_conditioning=2.0, pulls=st.floats(min_value=0.25, max_value=4.0))


@given(TAME, SEEDS, st.floats(min_value=1.0, max_value=2.0))
@examples(6)
def test_distance_is_at_most_c_eta_without_ema(problem: Quadratic, seed: int, lam: float) -> None:
    """At constant step, after the steps that provably suffice, whatever the coupling and rank."""
    at = setting(problem, lam, None, 0.5)
    radius = radius_constant(problem, lam) * at.largest_eta
    theta = near(problem, seed, 2 * radius)
    steps = sufficient_steps(at, theta, None, radius, most=1000)
    assume(steps is not None)
    etas = list(repeat(at.largest_eta, (steps or 0) + 20))
    points = run(full_batch, problem, theta, lam=lam, etas=etas, rho=None)
    assert np.all(distances(problem, points)[steps:] <= radius)


@given(TAME, st.floats(min_value=1.0, max_value=2.0), RHOS)
@examples(6)
def test_distance_is_at_most_c_eta_with_ema(problem: Quadratic, lam: float, rho: float) -> None:
    """Started in the ball, the iterates stay: the proved bound is below C eta from the start."""
    at = setting(problem, lam, rho, 0.5)
    radius = radius_constant(problem, lam, rho) * at.largest_eta
    theta, etas = problem.solution, [at.largest_eta] * 150
    assert max(distance_bounds(at, etas, theta, np.zeros_like(theta))) <= radius
    points = run(bloop, problem, theta, lam=lam, etas=etas, rho=rho)
    assert np.all(distances(problem, points) <= radius)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_mixed_training_leaves_the_ball_of_bloop(rank: int) -> None:
    problem = quadratic(4, rank, conditioning=2.0, coupling=0.5, pull=1.0, seed=rank)
    at = setting(problem, 1.0, None, 0.25)
    radius = radius_constant(problem, 1.0) * at.largest_eta
    # mixed training contracts at least by 1 - eta times its smallest curvature
    hessian = problem.hessian_main(problem.solution) + problem.curvature
    rate = at.largest_eta * np.linalg.eigvalsh(hessian)[0]
    etas = [at.largest_eta] * int(np.ceil(5 / rate))
    end = run(mixed, problem, problem.solution, lam=1.0, etas=etas, rho=None)[-1]
    assert problem.distance(end) > radius


def assert_shrinks_like_eta(
    problem: Quadratic, theta: Array, at: Setting, points: Array, etas: Array
) -> None:
    """Corollary A2, with the rounding of all steps added up and seen through the coupling."""
    k = at.constants
    ema = None if at.rho is None else np.zeros_like(theta)
    amplified = np.sqrt(at.smoothness / k.main_curvature) * (1 + k.coupling / k.aux_curvature)
    noise = 4 * amplified * at.rounding(theta) * np.arange(len(points))
    constant = at.decaying_constant(theta, ema)
    reached = np.append(etas, harmonic_steps(at, len(etas) + 1)[-1])
    assert np.all(distances(problem, points) <= constant * reached + noise)


@given(quadratics(), SEEDS, LAMS, st.one_of(st.none(), RHOS), SHARES)
@examples(20)
def test_decaying_steps_shrink_the_distance_like_eta(
    problem: Quadratic, seed: int, lam: float, rho: float | None, share: float
) -> None:
    at, theta = setting(problem, lam, rho, share), near(problem, seed, 0.5)
    etas = harmonic_steps(at, 40)
    step = full_batch if rho is None else bloop
    points = run(step, problem, theta, lam=lam, etas=etas, rho=rho)
    assert_shrinks_like_eta(problem, theta, at, points, etas)


@pytest.mark.parametrize("rho", [None, 1.0])
def test_decaying_steps_over_a_long_run(rho: float | None) -> None:
    """The proved bound itself falls below half of where constant steps may stay for ever."""
    problem = quadratic(3, 2, coupling=0.5, pull=1.0, seed=1)
    at = setting(problem, 2.0, rho, 1.0)
    etas = harmonic_steps(at, 1500)
    step = full_batch if rho is None else bloop
    points = run(step, problem, problem.solution, lam=2.0, etas=etas, rho=rho)
    assert_shrinks_like_eta(problem, problem.solution, at, points, etas)
    bounds = list(distance_bounds(at, etas, problem.solution, None if rho is None else np.zeros(3)))
    assert np.all(distances(problem, points) <= bounds)
    assert bounds[-1] <= radius_constant(problem, 2.0, rho) * at.largest_eta / 2


@given(SEEDS, st.floats(min_value=0.0, max_value=1.0), st.floats(min_value=0.5, max_value=2.0))
@examples(6)
def test_no_pull_converges_at_constant_step(seed: int, coupling: float, lam: float) -> None:
    """With W = 0 the radius is zero: what is left is rounding, and a transient that vanishes."""
    problem = quadratic(4, 2, conditioning=1.5, coupling=coupling, seed=seed)
    at = setting(problem, lam, None, 1.0)
    etas = [at.largest_eta] * 150
    theta = near(problem, seed, 1.0)
    assert radius_constant(problem, lam) * at.largest_eta <= at.rounding(theta)
    points = run(full_batch, problem, theta, lam=lam, etas=etas, rho=None)
    bounds = list(distance_bounds(at, etas, theta, None))
    assert np.all(distances(problem, points) <= bounds)


@given(st.integers(min_value=2, max_value=5), SEEDS, st.floats(min_value=0.5, max_value=2.0))
@examples(10)
def test_rank_one_with_ema_converges_to_rounding(p: int, seed: int, lam: float) -> None:
    """Proposition B: no ball, whatever the pull; both parts contract at their own rate."""
    problem = quadratic(p, 1, aux_conditioning=2.0, coupling=0.5, pull=2.0, seed=seed)
    theta, eta, rho = near(problem, seed, 1.0), 0.5 / max(1.0, lam), 0.25
    at = setting(problem, lam, rho, 1.0)
    k, steps = at.constants, 150
    points = run(bloop, problem, theta, lam=lam, etas=[eta] * steps, rho=rho)
    first = distances(problem, points)[1]
    slower = min(eta * k.main_curvature, eta * lam * k.aux_curvature)
    # the sequence z <- (1 - slower) z + eta lam K (1 - slower)^t x grows by a factor of t at most
    factor = 1 + steps * eta * lam * k.coupling
    noise = at.rounding(theta) * factor / slower
    assert problem.distance(points[-1]) <= factor * (1 - slower) ** (steps - 1) * first + noise
