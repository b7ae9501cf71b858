"""What every bilevel problem of this package offers, whatever its losses are."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy

from bloop_proofs.problems.agreement import solver_ftol
from bloop_proofs.problems.arrays import Array


@dataclass(frozen=True, eq=False)
class BilevelProblem(ABC):
    """Minimise ``aux`` over the minimisers of ``main`` (eq. 2), with the answer known.

    The set of minimisers is written as ``constraint(theta) = 0`` with a Jacobian of full row rank;
    ``grad_main = 0`` would describe the same set with a singular one, on which constrained solvers
    break down.

    Attributes:
        name: what the problem is, with its parameters.
        solution: the answer from a closed form, shape (p,).
        start: a point from which a local solver finds that answer, shape (p,).
    """

    name: str
    solution: Array
    start: Array

    curved: ClassVar[bool] = False
    """Whether the set of minimisers of the main loss is curved, not affine."""

    @abstractmethod
    def main(self, theta: Array) -> float:
        """Return the main loss."""

    @abstractmethod
    def aux(self, theta: Array) -> float:
        """Return the auxiliary loss."""

    @abstractmethod
    def grad_main(self, theta: Array) -> Array:
        """Return the gradient of the main loss, shape (p,)."""

    @abstractmethod
    def grad_aux(self, theta: Array) -> Array:
        """Return the gradient of the auxiliary loss, shape (p,)."""

    @abstractmethod
    def constraint(self, theta: Array) -> Array:
        """Return residuals that vanish exactly on the minimisers of the main loss, shape (r,)."""

    @abstractmethod
    def constraint_jacobian(self, theta: Array) -> Array:
        """Return the derivative of ``constraint``, shape (r, p) and of rank r at a minimiser."""

    @abstractmethod
    def smoothness(self, radius: float) -> tuple[float, float]:
        """Return Lipschitz constants of both gradients on the ball ||theta|| <= radius."""

    @property
    @abstractmethod
    def growth(self) -> float:
        """A bound from below on how fast ``aux`` grows among the minimisers of ``main``.

        It is a gamma > 0 with aux(theta) >= aux(solution) + gamma / 2 ||theta - solution||^2, to
        second order at the solution, for theta in the set of minimisers.
        """

    @property
    def terms(self) -> int:
        """How many products the longest sum in a loss has, for bounds on rounding."""
        return len(self.solution)

    def distance(self, theta: Array) -> float:
        """Return ||theta - solution||."""
        return float(np.linalg.norm(theta - self.solution))

    def solve_scipy(self) -> Array:
        """Return the answer of ``scipy.optimize.minimize`` (SLSQP) under the constraint.

        Raises:
            RuntimeError: SciPy reports a failure.
        """
        found = scipy.optimize.minimize(
            self.aux,
            self.start,
            jac=self.grad_aux,
            method="SLSQP",
            constraints={
                "type": "eq",
                "fun": self.constraint,
                "jac": self.constraint_jacobian,
            },
            options={"ftol": solver_ftol(self), "maxiter": 1000},
        )
        if not found.success:
            raise RuntimeError(f"SLSQP failed on {self.name}: {found.message}")
        answer: Array = found.x
        return answer
