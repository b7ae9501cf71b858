"""Least squares as a finite sum, whose mini-batches can all be enumerated."""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations

import numpy as np

from bloop_proofs.problems.arrays import Array, orthogonal
from bloop_proofs.problems.base import BilevelProblem
from bloop_proofs.problems.quadratic import Quadratic


@dataclass(frozen=True, eq=False)
class LeastSquares(BilevelProblem):
    """Means over n samples: main (x_i' theta - y_i)^2 / 2, auxiliary (z_i' theta - v_i)^2 / 2.

    X, of shape (n, p), is rank deficient; the noise in y is orthogonal to its range, so that the
    minimisers are known while the gradients of single samples do not vanish there. All methods
    that do not name SciPy also work on arrays of ``Fraction``: see ``exact``.
    """

    features: Array
    labels: Array
    aux_features: Array
    aux_labels: Array

    @property
    def samples(self) -> int:
        """The number n of samples."""
        return len(self.labels)

    @property
    def terms(self) -> int:
        """One sum over the samples of sums over the dimensions."""
        return self.samples + len(self.solution)

    def main(self, theta: Array) -> float:
        """Return the mean over the samples of (x_i' theta - y_i)^2 / 2."""
        residual = self.features @ theta - self.labels
        value: float = (residual @ residual) / (2 * self.samples)
        return value

    def aux(self, theta: Array) -> float:
        """Return the mean over the samples of (z_i' theta - v_i)^2 / 2."""
        residual = self.aux_features @ theta - self.aux_labels
        value: float = (residual @ residual) / (2 * self.samples)
        return value

    def sample_grads_main(self, theta: Array) -> Array:
        """Return the main gradient of every sample, shape (n, p)."""
        return np.asarray(self.features * (self.features @ theta - self.labels)[:, None])

    def sample_grads_aux(self, theta: Array) -> Array:
        """Return the auxiliary gradient of every sample, shape (n, p)."""
        residual = self.aux_features @ theta - self.aux_labels
        return np.asarray(self.aux_features * residual[:, None])

    def grad_main(self, theta: Array) -> Array:
        """Return the mean of ``sample_grads_main``."""
        return np.asarray(self.sample_grads_main(theta).sum(axis=0) / self.samples)

    def grad_aux(self, theta: Array) -> Array:
        """Return the mean of ``sample_grads_aux``."""
        return np.asarray(self.sample_grads_aux(theta).sum(axis=0) / self.samples)

    def batches(self, size: int) -> list[tuple[int, ...]]:
        """Return every mini-batch of that many different samples."""
        return list(combinations(range(self.samples), size))

    def exact(self) -> "LeastSquares":
        """Return the same problem with every number as a ``Fraction``, without rounding."""
        to_fraction = np.vectorize(Fraction, otypes=[object])
        names = ("solution", "start", "features", "labels", "aux_features", "aux_labels")
        return replace(self, **{name: to_fraction(getattr(self, name)) for name in names})

    @cached_property
    def quadratic(self) -> Quadratic:
        """The quadratic problem with the same gradients and solution (constants differ)."""
        left, values, right = np.linalg.svd(self.features, full_matrices=False)
        kept = values > values[0] * max(self.features.shape) * np.finfo(float).eps
        scale = np.sqrt(self.samples)
        return Quadratic(
            name=self.name,
            solution=self.solution,
            start=self.start,
            rows=values[kept, None] * right[kept] / scale,
            target=left[:, kept].T @ self.labels / scale,
            curvature=self.aux_features.T @ self.aux_features / self.samples,
            linear=self.aux_features.T @ self.aux_labels / self.samples,
        )

    def constraint(self, theta: Array) -> Array:
        """Return the constraint of ``quadratic``: the normal equations, in full-row-rank form."""
        return self.quadratic.constraint(theta)

    def constraint_jacobian(self, theta: Array) -> Array:
        """Return the derivative of ``constraint``."""
        return self.quadratic.rows

    def smoothness(self, radius: float) -> tuple[float, float]:
        """Return the largest eigenvalues of X'X / n and Z'Z / n, whatever the radius."""
        return self.quadratic.smoothness(radius)

    @property
    def growth(self) -> float:
        """The smallest eigenvalue of Z'Z / n on the null space of X."""
        return self.quadratic.growth


def least_squares(
    samples: int, p: int, rank: int, *, noise: float = 1.0, pull: float = 1.0, seed: int = 0
) -> LeastSquares:
    """Build a least-squares bilevel problem around a solution that is drawn first.

    Args:
        samples: the number n of samples, more than ``p``.
        p: the dimension.
        rank: the rank of X, with 1 <= rank < p.
        noise: the norm over sqrt(n) of the residuals of both losses that no theta can explain.
        pull: the norm of the auxiliary gradient at the solution.
        seed: the seed of everything random.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> problem = least_squares(5, 3, 2)
        >>> problem.sample_grads_main(problem.solution).shape
        (5, 3)
    """
    if not 1 <= rank < p < samples:
        raise ValueError(
            f"the sizes must satisfy 1 <= rank < p < samples; found {rank}, {p}, {samples}"
        )
    generator = np.random.default_rng(seed)
    solution = generator.standard_normal(p)
    # orthogonal columns with singular values in [sqrt(n) / 2, sqrt(n)]: eigenvalues in [1/4, 1]
    left, aux_left = orthogonal(generator, samples), orthogonal(generator, samples)
    axes, aux_axes = orthogonal(generator, p), orthogonal(generator, p)
    values = np.sqrt(samples) * generator.uniform(0.5, 1, size=(2, p))
    features = (left[:, :rank] * values[0, :rank]) @ axes[:, :rank].T
    aux_features = (aux_left[:, :p] * values[1]) @ aux_axes.T
    direction = axes[:, :rank] @ generator.standard_normal(rank)
    w = direction * (pull / np.linalg.norm(direction))
    size = noise * np.sqrt(samples)
    # Z' lift = n w, so that the auxiliary gradient at the solution is w
    lift = aux_features @ np.linalg.solve(aux_features.T @ aux_features, samples * w)
    return LeastSquares(
        name=f"least squares(samples={samples}, p={p}, rank={rank}, noise={noise:.3g}, "
        f"pull={pull:.3g}, seed={seed})",
        solution=solution,
        start=solution + generator.standard_normal(p),
        features=features,
        labels=features @ solution + size * left[:, -1],
        aux_features=aux_features,
        aux_labels=aux_features @ solution - lift + size * aux_left[:, -1],
    )
