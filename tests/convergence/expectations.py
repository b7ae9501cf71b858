"""Expectations over mini-batches and over noise, computed and not sampled."""

from fractions import Fraction
from itertools import product

import numpy as np
import scipy.special
import scipy.stats

from bloop_proofs.problems.arrays import Array, orthogonal
from bloop_proofs.problems.least_squares import LeastSquares
from bloop_proofs.problems.trajectories import one_step
from bloop_proofs.subject import Step


def project(vector: Array, onto: Array) -> Array:
    """Return pi(vector; onto) as the formula is written, for moderate numbers or fractions."""
    square = onto @ onto
    return vector - (vector @ onto) / square * onto if square else vector


def unbiasedness_gap(
    step: Step,
    problem: LeastSquares,
    theta: Array,
    ema: Array,
    *,
    lam: float | Fraction,
    rho: float | Fraction,
    size: int,
    paired: bool = True,
) -> Array:
    """Return E[d] - (grad L_main + lam pi(grad L_aux; ema)), exactly 0 for Algorithm 1.

    The expectation is a mean over all mini-batches of ``size`` samples; it is free of rounding if
    the problem and the vectors are made of ``Fraction``.

    Args:
        step: the implementation.
        problem: the finite sum.
        theta: the point, shape (p,).
        ema: the EMA before the step, shape (p,).
        lam: the weight of the auxiliary loss.
        rho: the weight of the new gradient in the EMA.
        size: the size of a mini-batch.
        paired: whether both gradients come from one batch, or from any two.
    """
    mains, auxs = problem.sample_grads_main(theta), problem.sample_grads_aux(theta)
    batches = problem.batches(size)
    pairs = [(b, b) for b in batches] if paired else list(product(batches, repeat=2))
    total = np.zeros_like(theta)
    for main_batch, aux_batch in pairs:
        g_main = mains[list(main_batch)].sum(axis=0) / size
        g_aux = auxs[list(aux_batch)].sum(axis=0) / size
        total = total + one_step(step, g_main, g_aux, ema, lam=lam, rho=rho)[0]
    expected = problem.grad_main(theta) + lam * project(problem.grad_aux(theta), ema)
    return np.asarray(total / len(pairs) - expected)


def mean_projection(step: Step, g_aux: Array, directions: Array, weights: Array) -> Array:
    """Return the weighted mean of pi(g_aux; v) over the rows v of ``directions``, by ``step``.

    It is read off the directions d = 0 + 1 pi(g_aux; v) for a main gradient of zero.
    """
    zero = np.zeros_like(g_aux)
    total = zero
    for weight, v in zip(weights, directions, strict=True):
        total = total + weight * one_step(step, zero, g_aux, v, lam=1, rho=0)[0]
    return np.asarray(total)


def isotropic_directions(p: int, seed: int) -> tuple[Array, Array]:
    """Return directions and weights that integrate pi(g_aux; .) exactly over the unit sphere.

    pi(g_aux; v) is a polynomial of degree 2 in a unit vector v, and the mean of v v' over the
    vectors of any orthonormal basis is I / p, as it is over the sphere.
    """
    return orthogonal(np.random.default_rng(seed), p), np.full(p, 1 / p)


def noisy_directions(g_main: Array, sigma: float, count: int) -> tuple[Array, Array]:
    """Return directions and weights that integrate over g_main + sigma eps in two dimensions.

    eps is standard normal. At an angle whose unit vector u has b = <g_main, u> / sigma the density
    is exp(-||g_main||^2 / (2 sigma^2)) (1 + sqrt(2 pi) b exp(b^2 / 2) Phi(b)) / (2 pi), smooth and
    periodic, so that equidistant angles integrate it with an error that falls geometrically in
    their number.
    """
    angles = 2 * np.pi * np.arange(count) / count
    units = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    b = units @ g_main / sigma
    bulk = 1 + np.sqrt(2 * np.pi) * b * np.exp(b**2 / 2) * scipy.special.ndtr(b)
    weights = np.exp(-(g_main @ g_main) / (2 * sigma**2)) * bulk / count
    return units, weights


def parallel_share(p: int, ratio: float) -> float:
    """Return tau, the mean of cos^2 of the angle between g_main and g_main + sigma eps.

    With ratio = ||g_main|| / sigma, cos^2 is noncentral beta distributed: a Poisson mixture, with
    mean ratio^2 / 2, of Beta(1/2 + j, (p - 1) / 2), so tau = E[(1/2 + j) / (p/2 + j)]. By symmetry
    E[pi(a; g_main + sigma eps)] = (1 - tau) a_along + (1 - (1 - tau) / (p - 1)) a_across, and
    0 <= tau - 1/p <= ratio^2 (p - 1) / p^2.
    """
    mean = ratio**2 / 2
    # beyond mean + 40 (1 + sqrt(mean)) a Poisson variable has less than 1e-17 of its mass
    j = np.arange(int(mean + 40 * (1 + np.sqrt(mean))) + 1)
    return float(scipy.stats.poisson.pmf(j, mean) @ ((0.5 + j) / (p / 2 + j)))


def expected_projection(g_aux: Array, g_main: Array, sigma: float) -> Array:
    """Return E[pi(g_aux; g_main + sigma eps)] by the closed form of ``parallel_share``."""
    p = len(g_aux)
    tau = parallel_share(p, float(np.linalg.norm(g_main)) / sigma)
    across = project(g_aux, g_main)
    return np.asarray((1 - tau) * (g_aux - across) + (1 - (1 - tau) / (p - 1)) * across)


def sampling_radius(bound: float, count: int, failure: float) -> float:
    """Return r with P(||mean - expectation|| > r) <= failure, for samples of norm <= ``bound``.

    The mean of independent vectors lies in mean square within bound^2 / count of its expectation,
    and changing one sample moves it by at most 2 bound / count, so McDiarmid's inequality gives
    r = bound / sqrt(count) (1 + sqrt(2 log(1 / failure))).
    """
    return float(bound / np.sqrt(count) * (1 + np.sqrt(2 * np.log(1 / failure))))
