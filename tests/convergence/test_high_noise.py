"""Figure 2: projecting on a gradient drowned in noise removes 1/p of g_aux, whatever g_aux is."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_proofs.problems import Array
from bloop_proofs.problems.arrays import UNIT_ROUNDOFF
from bloop_proofs.tolerances import direction_bound
from tests.convergence.expectations import (
    expected_projection,
    isotropic_directions,
    mean_projection,
    noisy_directions,
    parallel_share,
    sampling_radius,
)
from tests.convergence.steps import bloop, examples, mixed


def vector(p: int, seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal(p)


@given(st.integers(min_value=1, max_value=8), st.integers(min_value=0, max_value=2**32 - 1))
@examples(40)
def test_isotropic_noise_leaves_one_minus_one_over_p(p: int, seed: int) -> None:
    g_aux = vector(p, seed)
    found = mean_projection(bloop, g_aux, *isotropic_directions(p, seed))
    norm = float(np.linalg.norm(g_aux))
    # the directions are orthogonal up to p u; then p projections and their sum
    bound = (p + 2) * UNIT_ROUNDOFF * norm + direction_bound(UNIT_ROUNDOFF, p, 0.0, norm, 1.0)
    assert np.linalg.norm(found - (1 - 1 / p) * g_aux) <= bound + p * UNIT_ROUNDOFF * norm


@pytest.mark.parametrize("p", [1, 2, 4, 8])
def test_isotropic_limit_is_exact_in_fractions(p: int) -> None:
    """The rows of a Hadamard matrix are an orthogonal basis of integers."""
    rows = np.array([[1]])
    while len(rows) < p:
        rows = np.block([[rows, rows], [rows, -rows]])
    directions = np.vectorize(Fraction, otypes=[object])(rows)
    weights = np.full(p, Fraction(1, p))
    g_aux = np.array([Fraction(k * k - 3, k + 1) for k in range(p)], dtype=object)
    found = mean_projection(bloop, g_aux, directions, weights)
    assert all(found == (1 - Fraction(1, p)) * g_aux)


@given(st.integers(min_value=0, max_value=2**32 - 1), st.floats(min_value=0.125, max_value=64.0))
@examples(15)
def test_finite_noise_in_two_dimensions_by_quadrature(seed: int, sigma: float) -> None:
    """The quadrature, the closed form and the limit's rate agree.

    ``count`` equidistant angles integrate a trigonometric polynomial of degree below ``count``
    exactly; of the density, in powers of (ratio e^{i angle})^k / k!-like size, less than u is
    left beyond degree 16 (1 + ratio).
    """
    g_aux, way = vector(2, seed), vector(2, seed + 1)
    ratio = 2 / sigma
    g_main = way * (2 / np.linalg.norm(way))
    count = int(32 * (1 + ratio))
    found = mean_projection(bloop, g_aux, *noisy_directions(g_main, sigma, count))
    closed = expected_projection(g_aux, g_main, sigma)
    norm = float(np.linalg.norm(g_aux))
    # exp(ratio^2 / 2) is computed and divided out again, with relative errors of ratio^2 u
    density = (8 + ratio**2) * UNIT_ROUNDOFF
    one = direction_bound(UNIT_ROUNDOFF, 2, 0.0, norm, 1.0)
    assert (
        np.linalg.norm(found - closed) <= one + (count + 8) * UNIT_ROUNDOFF * norm + density * norm
    )
    away = np.linalg.norm(found - g_aux / 2)
    assert away <= ratio**2 / 4 * norm + one + (count + 8) * UNIT_ROUNDOFF * norm + density * norm


@given(st.integers(min_value=2, max_value=200), st.floats(min_value=0.0, max_value=8.0))
@examples(100)
def test_share_that_is_removed_along_the_gradient(p: int, ratio: float) -> None:
    """1/p <= tau <= 1/p + ratio^2 (p - 1) / p^2, so the limit is approached like 1 / sigma^2."""
    # a sum of some 300 terms of a distribution that is known to some 100 u
    tau, rounding = parallel_share(p, ratio), 400 * UNIT_ROUNDOFF
    assert 1 / p - rounding <= tau <= 1 / p + ratio**2 * (p - 1) / p**2 + rounding
    assert tau <= 1 + rounding


def test_finite_noise_in_five_dimensions_by_sampling() -> None:
    """A seeded sample; the interval would miss once in 10^9 independent samples."""
    p, sigma, count = 5, 1.0, 2000
    g_main = vector(p, 2)
    g_aux = g_main + vector(p, 1) / 2
    noise = np.random.default_rng(3).standard_normal((count, p))
    weights = np.full(count, 1 / count)
    found = mean_projection(bloop, g_aux, g_main + sigma * noise, weights)
    radius = sampling_radius(float(np.linalg.norm(g_aux)), count, failure=1e-9)
    assert np.linalg.norm(found - expected_projection(g_aux, g_main, sigma)) <= radius
    # neither what mixed training leaves nor the projection on the noiseless gradient is as near
    assert np.linalg.norm(found - g_aux) > radius
    assert np.linalg.norm(found - expected_projection(g_aux, g_main, 1e-3)) > radius


def test_mixed_training_removes_nothing() -> None:
    g_aux = vector(3, 0)
    found = mean_projection(mixed, g_aux, *isotropic_directions(3, 0))
    assert np.linalg.norm(found - (1 - 1 / 3) * g_aux) > np.linalg.norm(g_aux) / 4
