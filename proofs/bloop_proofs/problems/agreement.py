"""How near other ways to solve a problem come to its answer."""

from typing import TYPE_CHECKING

import numpy as np

from bloop_proofs.problems.rounding import UNIT_ROUNDOFF, rounding_errors

if TYPE_CHECKING:
    from bloop_proofs.problems.base import BilevelProblem
    from bloop_proofs.problems.quadratic import Quadratic


def solver_ftol(problem: "BilevelProblem") -> float:
    """Return the decrease of the loss at which a solver should stop.

    A solver asked for four times what rounding does to the loss can still see what it gains. On a
    curved set SLSQP wanders about at this level until its iterations are used up, because following
    the curve costs it as much as it gains; there half the digits are asked for.
    """
    rounding = rounding_errors(problem, float(np.linalg.norm(problem.solution))).aux
    if problem.curved:
        return rounding / float(np.sqrt(UNIT_ROUNDOFF))
    return 4 * rounding


def scipy_agreement(problem: "BilevelProblem") -> float:
    """Return how far SciPy's answer may lie from the solution.

    SLSQP ends when a step gains less than ``solver_ftol``; converging at least by halves, it then
    has no more than that left to gain, and rounding adds at most as much. So the loss found lies
    within delta = 2 solver_ftol of the least, and with growth gamma at the solution
    gamma / 2 distance^2 <= delta. A factor 2 covers the third-order terms of the growth and the
    violation of the constraint, which is of the order of delta and not of its root.
    """
    return 2 * float(np.sqrt(4 * solver_ftol(problem) / problem.growth))


def closed_form_agreement(problem: "Quadratic") -> float:
    """Return how far ``null_space_solution`` may lie from the solution.

    Both sides of the first-order conditions, B theta = b and N'(A theta - q) = 0, are known up to
    the rounding errors of the gradients; B^+ multiplies the first (seen in the gradient B'(.)) by
    1 / mu, (N'AN)^-1 the second by 1 / gamma, and an error in the first passes into the second
    through A. The singular vectors of B, and so N, are off by p^2 u over the relative gap of B.
    """
    radius = float(np.linalg.norm(problem.solution))
    errors = rounding_errors(problem, radius)
    p, (_, aux_smooth) = len(problem.solution), problem.smoothness(radius)
    along = errors.grad_main * problem.error_bound(problem.solution)
    condition = float(np.linalg.cond(problem.rows))
    turned = p**2 * UNIT_ROUNDOFF * condition * (aux_smooth * radius + errors.grad_aux)
    slope = float(np.linalg.norm(problem.linear))
    turned += p**2 * UNIT_ROUNDOFF * condition * slope
    across = (errors.grad_aux + turned + aux_smooth * along) / problem.growth
    return along + across
