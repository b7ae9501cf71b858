"""Non-convex main losses whose minimisers form a known curved set."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bloop_proofs.problems.arrays import Array, orthogonal
from bloop_proofs.problems.base import BilevelProblem


@dataclass(frozen=True, eq=False)
class Sphere(BilevelProblem):
    """Main loss (||theta||^2 - 1)^2 / 4, least on the unit sphere; auxiliary ||theta - t||^2 / 2.

    The solution is t / ||t||.
    """

    centre: Array
    curved: ClassVar[bool] = True

    def main(self, theta: Array) -> float:
        """Return (||theta||^2 - 1)^2 / 4."""
        return float((theta @ theta - 1) ** 2 / 4)

    def aux(self, theta: Array) -> float:
        """Return ||theta - t||^2 / 2."""
        return float((theta - self.centre) @ (theta - self.centre) / 2)

    def grad_main(self, theta: Array) -> Array:
        """Return (||theta||^2 - 1) theta."""
        return np.asarray((theta @ theta - 1) * theta)

    def grad_aux(self, theta: Array) -> Array:
        """Return theta - t."""
        return np.asarray(theta - self.centre)

    def constraint(self, theta: Array) -> Array:
        """Return ||theta||^2 - 1."""
        return np.atleast_1d(theta @ theta - 1)

    def constraint_jacobian(self, theta: Array) -> Array:
        """Return 2 theta'."""
        return np.asarray(2 * theta[None, :])

    def smoothness(self, radius: float) -> tuple[float, float]:
        """Return max(1, 3 radius^2 - 1), from the eigenvalues of the Hessian, and 1."""
        return max(1.0, 3 * radius**2 - 1), 1.0

    @property
    def growth(self) -> float:
        """The Hessian of the Lagrangian on the tangent space is ||t|| times the identity."""
        return float(np.linalg.norm(self.centre))

    def hessian_main(self, theta: Array) -> Array:
        """Return (||theta||^2 - 1) I + 2 theta theta'."""
        return np.asarray((theta @ theta - 1) * np.eye(len(theta)) + 2 * np.outer(theta, theta))

    def nearest_minimiser(self, theta: Array) -> Array:
        """Return theta / ||theta||."""
        return np.asarray(theta / np.linalg.norm(theta))

    def error_bound(self, theta: Array) -> float:
        """Return c with | ||theta|| - 1 | = c ||grad_main||: 1 / (||theta|| (||theta|| + 1))."""
        norm = float(np.linalg.norm(theta))
        return 1 / (norm * (norm + 1))

    def hessian_lipschitz(self, theta: Array) -> float:
        """Return 6 max(||theta||, 1).

        The third derivative along a unit vector u is 6 <theta, u>, and a symmetric trilinear form
        is largest on its diagonal; the segment to the nearest minimiser has norms between both.
        """
        return 6 * max(float(np.linalg.norm(theta)), 1.0)


@dataclass(frozen=True, eq=False)
class Hyperbola(BilevelProblem):
    """Main loss (x y - 1)^2 / 2, least on a hyperbola; auxiliary (k^2 x^2 + y^2) / 2.

    On the branch x > 0 the auxiliary loss is (k^2 x^2 + 1 / x^2) / 2, least at x = 1 / sqrt(k).
    """

    stretch: float
    curved: ClassVar[bool] = True

    def main(self, theta: Array) -> float:
        """Return (x y - 1)^2 / 2."""
        return float((theta[0] * theta[1] - 1) ** 2 / 2)

    def aux(self, theta: Array) -> float:
        """Return (k^2 x^2 + y^2) / 2."""
        return float(((self.stretch * theta[0]) ** 2 + theta[1] ** 2) / 2)

    def grad_main(self, theta: Array) -> Array:
        """Return (x y - 1) (y, x)."""
        return np.asarray((theta[0] * theta[1] - 1) * theta[::-1])

    def grad_aux(self, theta: Array) -> Array:
        """Return (k^2 x, y)."""
        return np.array([self.stretch**2 * theta[0], theta[1]])

    def constraint(self, theta: Array) -> Array:
        """Return x y - 1."""
        return np.atleast_1d(theta[0] * theta[1] - 1)

    def constraint_jacobian(self, theta: Array) -> Array:
        """Return (y, x)."""
        return np.asarray(theta[None, ::-1])

    def smoothness(self, radius: float) -> tuple[float, float]:
        """Return a bound on ||(y, x)||^2 + |x y - 1|, and max(k^2, 1)."""
        return 1.5 * radius**2 + 1, max(self.stretch**2, 1.0)

    @property
    def growth(self) -> float:
        """The second derivative of the auxiliary loss by arc length, 4 k^2 / (1 + k^2)."""
        return 4 * self.stretch**2 / (1 + self.stretch**2)


def sphere(p: int, *, pull: float = 1.0, seed: int = 0) -> Sphere:
    """Build the problem on the sphere with ||t|| = 1 + pull, so that grad_aux = -pull solution.

    Args:
        p: the dimension, at least 2.
        pull: the norm of the auxiliary gradient at the solution, at least 0.
        seed: the seed of everything random.

    Raises:
        ValueError: an argument is out of its range.

    Example:
        >>> problem = sphere(3)
        >>> round(problem.distance(problem.centre / 2), 12)
        0.0
    """
    if p < 2 or pull < 0:
        raise ValueError(f"p must be at least 2 and pull at least 0; found {(p, pull)}")
    generator = np.random.default_rng(seed)
    axes = orthogonal(generator, p)
    solution, across = axes[0], axes[1]
    return Sphere(
        name=f"sphere(p={p}, pull={pull:.3g}, seed={seed})",
        solution=solution,
        start=solution + across / 2,
        centre=(1 + pull) * solution,
    )


def hyperbola(stretch: float = 2.0) -> Hyperbola:
    """Build the problem on the hyperbola.

    Args:
        stretch: the ratio k > 0 of the two coordinates of the solution, y / x.

    Raises:
        ValueError: ``stretch`` is not positive.

    Example:
        >>> hyperbola(4.0).solution
        array([0.5, 2. ])
    """
    if stretch <= 0:
        raise ValueError(f"stretch must be positive; found {stretch}")
    root = float(np.sqrt(stretch))
    return Hyperbola(
        name=f"hyperbola(stretch={stretch:.3g})",
        solution=np.array([1 / root, root]),
        start=np.array([1.0, 1.5]),
        stretch=stretch,
    )
