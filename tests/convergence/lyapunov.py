"""Lemma A of the theory: what one full-batch step does to the mixed loss with a small weight."""

import numpy as np

from bloop_proofs.problems.arrays import Array
from bloop_proofs.problems.base import BilevelProblem, Inequality
from bloop_proofs.problems.trajectories import one_step
from bloop_proofs.subject import Step


def potential_decrease(
    step: Step, problem: BilevelProblem, theta: Array, *, lam: float, eta: float, radius: float
) -> Inequality:
    """Return Lemma A for one step theta <- theta - eta d with d = g + lam pi(a; g) from ``step``.

    For losses with L- and L_a-Lipschitz gradients, c = eta lam L / (1 - eta lam L_a) <= lam and
    V = L_main + c L_aux, with a = alpha g / ||g|| + pi,

        V(theta - eta d) <= V(theta) - eta / 2 ((||g|| + c alpha)^2 + c lam ||pi||^2)
                                     + eta / 2 (c alpha)^2.

    Args:
        step: the implementation.
        problem: any problem; its smoothness is that on the ball of the given radius.
        theta: the point, shape (p,).
        lam: the weight of the auxiliary loss.
        eta: the step size.
        radius: of a ball around 0 that holds both ends of the step.

    Raises:
        ValueError: the step is too long for the lemma, or leaves the ball.
    """
    smooth, aux_smooth = problem.smoothness(radius)
    c = eta * lam * smooth / (1 - eta * lam * aux_smooth)
    if not 0 <= c <= lam:
        raise ValueError(f"eta (L + lam L_a) must be at most 1; found eta = {eta}")
    g, a = problem.grad_main(theta), problem.grad_aux(theta)
    direction, _ = one_step(step, g, a, g, lam=lam, rho=1.0)
    after = theta - eta * direction
    if max(np.linalg.norm(theta), np.linalg.norm(after)) > radius:
        raise ValueError(f"the step must stay in the ball of radius {radius}; found {after}")
    norm = float(np.linalg.norm(g))
    alpha = float(a @ g) / norm
    across = float(a @ a) - alpha**2
    decrease = (norm + c * alpha) ** 2 + c * lam * across - (c * alpha) ** 2
    before = problem.main(theta) + c * problem.aux(theta)
    value = problem.main(after) + c * problem.aux(after)
    return Inequality("potential decrease", value, before - eta / 2 * decrease)
