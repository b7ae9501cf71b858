"""Theorem 2: every inequality of its proof exactly, then its rates over T."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_proofs.problems import LeastSquares, least_squares
from bloop_proofs.problems.constants import constants
from bloop_proofs.problems.rates import PROBLEM, PULLED, radius_over_eta, rate_over_t
from bloop_proofs.problems.sgd import Run
from bloop_proofs.problems.theorem_2 import (
    Node,
    Parameters,
    conditional_links,
    root,
)
from bloop_proofs.subject import Step
from tests.convergence.steps import bloop, examples, mixed, updated_first
from tests.convergence.theorem_2 import expected_links, levels


def parameters(problem: LeastSquares, lam: Fraction, rho: Fraction, share: Fraction) -> Parameters:
    """Exact numbers, the constants on the safe side of their rounding."""
    k = constants(problem.quadratic)
    smoothness = Fraction(k.main_smoothness) * (1 + Fraction(1, 2**30))
    curvature = Fraction(k.main_curvature) * (1 - Fraction(1, 2**30))
    return Parameters(lam, rho, share / smoothness, smoothness, curvature)


def broken(
    step: Step, problem: LeastSquares, at: Parameters, depth: int, share: Fraction
) -> Counter[str]:
    """How often each link of the chain is broken; names of links that hold count 0.

    The first EMA is that share of the full gradient.
    """
    exact = problem.exact()
    ema = exact.grad_main(exact.start) * share
    tree = levels(step, exact, Node(exact.start, ema), at, depth)
    links = list(expected_links(exact, tree, at))
    for nodes, following in pairwise(tree):
        for i, node in enumerate(nodes):
            after = following[i * exact.samples : (i + 1) * exact.samples]
            links += conditional_links(exact, node, after, at)
    count: Counter[str] = Counter()
    for link in links:
        count[link.name] += link.left > link.right
    return count


NAMES = {
    "tracking error, at most",
    "tracking error, at least",
    "cross term",
    "descent",
    "drift",
    "recursion",
    "unrolled",
    "one step",
    "one step, PL",
    "mean square gradient",
}


@given(
    st.integers(min_value=0, max_value=2**32 - 1),
    st.fractions(min_value=0, max_value=4, max_denominator=8),
    st.fractions(min_value=Fraction(1, 16), max_value=1, max_denominator=16),
    st.fractions(min_value=Fraction(1, 64), max_value=1, max_denominator=64),
)
@examples(10)
def test_every_link_holds_exactly(seed: int, lam: Fraction, rho: Fraction, share: Fraction) -> None:
    problem = least_squares(3, 2, 1, seed=seed)
    count = broken(bloop, problem, parameters(problem, lam, rho, share), 3, rho)
    assert count == dict.fromkeys(NAMES, 0)


@pytest.mark.parametrize("step", [mixed, updated_first])
def test_other_estimators_break_the_cross_term(step: Step) -> None:
    """With an EMA that has caught up, E[d] along grad L_main has no room to be anything else."""
    problem = least_squares(3, 2, 1, pull=4.0, seed=3)
    at = parameters(problem, Fraction(4), Fraction(1, 2), Fraction(1, 8))
    assert broken(bloop, problem, at, 1, Fraction(1))["cross term"] == 0
    assert broken(step, problem, at, 1, Fraction(1))["cross term"] == 1


@given(st.fractions(min_value=0, max_value=10**12, max_denominator=10**12))
@examples(200)
def test_roots_are_bounds_from_above(value: Fraction) -> None:
    found = root(value)
    assert value <= found**2 <= value * (1 + Fraction(1, 2**59))


def assert_descends(runs: list[Run], problem: LeastSquares) -> None:
    """Every step obeys the descent along its own path, up to the rounding of values."""
    largest = float(np.linalg.norm(problem.solution)) + 2 * problem.distance(problem.start)
    rounding = 4 * problem.rounding_errors(largest).main
    assert all(np.all(run.excess[1:] <= run.allowed + rounding) for run in runs)


def test_mean_square_gradient_falls_like_the_fourth_root_of_t() -> None:
    """Proved: O(T^(-1/4)). A bound on a limit says nothing strict about slopes over finite T.

    Accepted is what is nearer to the proved exponent than to 0, the exponent of an estimator that
    stops at another point, as mixed training does.
    """
    lengths = [2**k for k in range(6, 12)]
    found = rate_over_t(bloop, lengths)
    assert found.exponent <= -1 / 8
    assert_descends(found.runs, PROBLEM)
    assert rate_over_t(mixed, lengths).exponent > -1 / 8


def test_radius_under_the_pl_inequality_shrinks_with_eta() -> None:
    """Proved: O(eta^(1/3)); accepted again is what is nearer to the proved exponent than to 0."""
    etas = [0.125, 0.0625, 0.03125]
    found = radius_over_eta(bloop, etas)
    assert found.exponent >= 1 / 6
    assert_descends(found.runs, PULLED)
    assert radius_over_eta(mixed, etas).exponent < 1 / 6
