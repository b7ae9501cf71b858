"""What every bilevel problem of this package offers, whatever its losses are."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import scipy

from bloop_proofs.problems.arrays import UNIT_ROUNDOFF, Array


class Errors(NamedTuple):
    """Bounds on the rounding errors of values (numbers) and gradients (norms) of both losses."""

    main: float
    aux: float
    grad_main: float
    grad_aux: float


class Inequality(NamedTuple):
    """A statement left <= right, with a name."""

    name: str
    left: float
    right: float


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

    def rounding_errors(self, radius: float) -> Errors:
        """Return what rounding may do on the ball ||theta|| <= radius.

        A sum of ``terms`` products, and eight operations beside it, err by (terms + 8) u times the
        sum of the magnitudes that enter. With reach = radius + ||theta*|| these are, at most twice
        the terms of the Taylor expansion at theta*, for a value |f(theta*)| + ||grad f(theta*)||
        reach + L reach^2, and for an entry of a gradient ||grad f(theta*)|| + L reach + sqrt(2 L
        |f(theta*)|); the last one is the norm of the gradients of samples that cancel in the mean.
        """
        at, unit = self.solution, (self.terms + 8) * UNIT_ROUNDOFF
        reach = radius + float(np.linalg.norm(at))
        values, gradients = [], []
        for smooth, value, gradient in zip(
            self.smoothness(radius),
            (self.main(at), self.aux(at)),
            (self.grad_main(at), self.grad_aux(at)),
            strict=True,
        ):
            slope = float(np.linalg.norm(gradient))
            values.append(unit * (abs(value) + slope * reach + smooth * reach**2))
            size = slope + smooth * reach + float(np.sqrt(2 * smooth * abs(value)))
            gradients.append(unit * float(np.sqrt(len(at))) * size)
        return Errors(*values, *gradients)

    @property
    def solver_ftol(self) -> float:
        """Return the decrease of the loss at which a solver should stop.

        A solver asked for four times what rounding does to the loss can still see what it gains. On
        a curved set SLSQP wanders about at this level until its iterations are used up, because
        following the curve costs it as much as it gains; there half the digits are asked for.
        """
        rounding = self.rounding_errors(float(np.linalg.norm(self.solution))).aux
        if self.curved:
            return rounding / float(np.sqrt(UNIT_ROUNDOFF))
        return 4 * rounding

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
            options={"ftol": self.solver_ftol, "maxiter": 1000},
        )
        if not found.success:
            raise RuntimeError(f"SLSQP failed on {self.name}: {found.message}")
        answer: Array = found.x
        return answer
