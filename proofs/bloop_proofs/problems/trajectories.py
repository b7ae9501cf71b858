"""Running an implementation of Bloop's step on a problem."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bloop_proofs.problems.arrays import Array
from bloop_proofs.problems.base import BilevelProblem
from bloop_proofs.subject import Step

__all__ = ["Step", "one_step", "run"]


def one_step(
    step: Step, g_main: Array, g_aux: Array, ema: Array, *, lam: Any, rho: Any, leaves: int = 1
) -> tuple[Array, Array]:
    """Return the direction and the new EMA as vectors, from gradients split into so many leaves."""
    parts = [np.array_split(vector, leaves) for vector in (g_main, g_aux, ema)]
    direction, updated = step(parts[0], parts[1], parts[2], lam=lam, rho=rho)
    return np.concatenate(direction), np.concatenate(updated)


def run(
    step: Step,
    problem: BilevelProblem,
    theta: Array,
    *,
    lam: float,
    etas: Sequence[float] | Array,
    rho: float | None,
    leaves: int = 1,
) -> Array:
    """Return the points of gradient steps theta <- theta - eta d with full gradients.

    Args:
        step: the implementation.
        problem: the problem.
        theta: the first point, shape (p,).
        lam: the weight of the auxiliary loss.
        etas: the step sizes, shape (T,).
        rho: the weight of the new gradient in the EMA, which starts at zero; ``None`` projects on
            the main gradient itself (eq. 3).
        leaves: how many leaves the gradients are split into.

    Returns:
        The points, shape (T + 1, p).
    """
    ema = np.zeros_like(theta)
    points = [theta]
    for eta in etas:
        g_main, g_aux = problem.grad_main(theta), problem.grad_aux(theta)
        on, weight = (g_main, 1.0) if rho is None else (ema, rho)
        direction, ema = one_step(step, g_main, g_aux, on, lam=lam, rho=weight, leaves=leaves)
        theta = theta - eta * direction
        points.append(theta)
    return np.array(points)
