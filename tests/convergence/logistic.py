"""Logistic regression with an affine set of minimisers, and a convex auxiliary loss."""

from dataclasses import dataclass

import numpy as np
import scipy

from bloop_proofs.problems.arrays import Array, orthogonal
from bloop_proofs.problems.base import BilevelProblem


@dataclass(frozen=True, eq=False)
class Logistic(BilevelProblem):
    """Repeated trials at r < p linearly independent inputs; auxiliary sum of log cosh.

    Input x_j was seen ``positive[j]`` times with label +1 and ``negative[j]`` times with -1, both
    at least once, so the data are not separable. The mean logistic loss depends on theta through
    the r free numbers x_j' theta alone and is least exactly where x_j' theta is the log odds
    log(positive[j] / negative[j]): an affine set of dimension p - r. The auxiliary loss
    sum_i log cosh(theta_i - centre_i) is strictly convex.
    """

    inputs: Array
    positive: Array
    negative: Array
    centre: Array

    def main(self, theta: Array) -> float:
        """Return the mean over all trials of log(1 + exp(-label x' theta))."""
        score = self.inputs @ theta
        losses = self.positive @ np.logaddexp(0, -score) + self.negative @ np.logaddexp(0, score)
        return float(losses / (self.positive + self.negative).sum())

    def aux(self, theta: Array) -> float:
        """Return sum_i log cosh(theta_i - centre_i)."""
        shift = theta - self.centre
        return float(np.sum(np.logaddexp(shift, -shift) - np.log(2)))

    def grad_main(self, theta: Array) -> Array:
        """Return the mean over all trials of the gradients."""
        trials = self.positive + self.negative
        excess = trials * scipy.special.expit(self.inputs @ theta) - self.positive
        return np.asarray(self.inputs.T @ excess / trials.sum())

    def grad_aux(self, theta: Array) -> Array:
        """Return tanh(theta - centre)."""
        return np.asarray(np.tanh(theta - self.centre))

    def constraint(self, theta: Array) -> Array:
        """Return the scores minus the log odds."""
        return np.asarray(self.inputs @ theta - np.log(self.positive / self.negative))

    def constraint_jacobian(self, theta: Array) -> Array:
        """Return the inputs."""
        return self.inputs

    def smoothness(self, radius: float) -> tuple[float, float]:
        """Return the bounds that follow from the logistic's and tanh's slopes, 1/4 and 1."""
        trials = self.positive + self.negative
        weighted = self.inputs * np.sqrt(trials / trials.sum())[:, None]
        return float(np.linalg.norm(weighted, 2)) ** 2 / 4, 1.0

    @property
    def growth(self) -> float:
        """The smallest entry of the auxiliary Hessian, which is diagonal, at the solution."""
        return float(1 - np.max(np.abs(self.grad_aux(self.solution))) ** 2)


def logistic(p: int, rank: int, *, pull: float = 0.5, seed: int = 0) -> Logistic:
    """Build a logistic bilevel problem around a solution that is drawn first.

    The solution is a random point with the right log odds, and the centre is where it must be for
    the auxiliary gradient there to be a given w in the range of the main Hessian:
    centre = solution - artanh(w).

    Args:
        p: the dimension.
        rank: the number of different inputs, with 1 <= rank < p.
        pull: the largest entry of w in magnitude, in [0, 1).
        seed: the seed of everything random.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> problem = logistic(4, 2)
        >>> problem.main(problem.solution) < problem.main(problem.start)
        True
    """
    if not 1 <= rank < p:
        raise ValueError(f"rank must satisfy 1 <= rank < p = {p}; found {rank}")
    if not 0 <= pull < 1:
        raise ValueError(f"pull must lie in [0, 1); found {pull}")
    generator = np.random.default_rng(seed)
    axes = orthogonal(generator, p)
    inputs = (axes[:, :rank] * generator.uniform(1, 2, size=rank)).T
    positive, negative = generator.integers(1, 10, size=(2, rank))
    drawn = generator.standard_normal(p)
    miss = np.log(positive / negative) - inputs @ drawn
    solution = drawn + np.linalg.pinv(inputs) @ miss
    direction = inputs.T @ generator.standard_normal(rank)
    w = direction * (pull / np.max(np.abs(direction)))
    return Logistic(
        name=f"logistic(p={p}, rank={rank}, pull={pull:.3g}, seed={seed})",
        solution=solution,
        start=solution + generator.standard_normal(p),
        inputs=inputs,
        positive=positive,
        negative=negative,
        centre=solution - np.arctanh(w),
    )
