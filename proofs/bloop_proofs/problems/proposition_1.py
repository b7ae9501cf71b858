"""Proposition 1: small directions and first-order points of the bilevel problem, both ways."""

from typing import Protocol

import numpy as np

from bloop_proofs.problems.arrays import Array
from bloop_proofs.problems.base import Inequality
from bloop_proofs.problems.trajectories import one_step
from bloop_proofs.subject import Step


class ErrorBounded(Protocol):
    """A problem whose main loss has a known error bound and a Hessian of known variation."""

    @property
    def solution(self) -> Array:
        """The solution of the bilevel problem."""
        ...

    def grad_main(self, theta: Array) -> Array:
        """Return the main gradient."""
        ...

    def grad_aux(self, theta: Array) -> Array:
        """Return the auxiliary gradient."""
        ...

    def smoothness(self, radius: float) -> tuple[float, float]:
        """Return Lipschitz constants of both gradients."""
        ...

    def hessian_main(self, theta: Array) -> Array:
        """Return the main Hessian."""
        ...

    def nearest_minimiser(self, theta: Array) -> Array:
        """Return the nearest minimiser of the main loss."""
        ...

    def error_bound(self, theta: Array) -> float:
        """Return c with ||theta - nearest_minimiser(theta)|| <= c ||grad_main(theta)||."""
        ...

    def hessian_lipschitz(self, theta: Array) -> float:
        """Return a Lipschitz constant of the Hessian from theta to its nearest minimiser."""
        ...


def full_batch(step: Step, problem: ErrorBounded, theta: Array, lam: float) -> Array:
    """Return the direction of eq. 3: ``step`` with the main gradient for an EMA."""
    g, a = problem.grad_main(theta), problem.grad_aux(theta)
    return one_step(step, g, a, g, lam=lam, rho=1.0)[0]


def small_direction(
    step: Step, problem: ErrorBounded, theta: Array, lam: float
) -> list[Inequality]:
    """Return what a direction of norm epsilon implies at theta, a point with grad_main != 0.

    ||g|| <= epsilon, ||pi(a; g)|| <= epsilon / lam, and with v = <a, g> / ||g||^2 (theta - theta')
    for the nearest minimiser theta', the error bound c and the Hessian's Lipschitz constant M,
    ||a - H v|| <= (1 / lam + M c^2 ||a|| / 2) epsilon.
    """
    epsilon = float(np.linalg.norm(full_batch(step, problem, theta, lam)))
    g, a = problem.grad_main(theta), problem.grad_aux(theta)
    multiple = float(a @ g) / float(g @ g)
    v = multiple * (theta - problem.nearest_minimiser(theta))
    residual = a - problem.hessian_main(theta) @ v
    bend = problem.hessian_lipschitz(theta) * problem.error_bound(theta) ** 2
    factor = 1 / lam + bend * float(np.linalg.norm(a)) / 2
    return [
        Inequality("||g_main||", float(np.linalg.norm(g)), epsilon),
        Inequality("||pi||", float(np.linalg.norm(a - multiple * g)), epsilon / lam),
        Inequality("||g_aux - H v||", float(np.linalg.norm(residual)), factor * epsilon),
    ]


def first_order_point(step: Step, problem: ErrorBounded, lam: float, epsilon: float) -> Inequality:
    """Return the converse: at the solution, where grad_aux = H v, d(solution + epsilon v) is small.

    ||d|| <= epsilon (||a|| + M epsilon ||v||^2 / 2 + lam (M ||v||^2 / 2 + L_a ||v||)) with a and H
    at the solution, M and L_a on the segment.
    """
    a = problem.grad_aux(problem.solution)
    v = np.linalg.pinv(problem.hessian_main(problem.solution)) @ a
    theta = problem.solution + epsilon * v
    length = float(np.linalg.norm(v))
    radius = float(np.linalg.norm(problem.solution)) + epsilon * length
    _, aux_smooth = problem.smoothness(radius)
    bend = problem.hessian_lipschitz(theta) * length**2 / 2
    bound = float(np.linalg.norm(a)) + bend * epsilon + lam * (bend + aux_smooth * length)
    found = float(np.linalg.norm(full_batch(step, problem, theta, lam)))
    return Inequality("||d||", found, epsilon * bound)
