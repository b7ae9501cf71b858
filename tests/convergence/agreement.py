"""How near the closed form of a quadratic problem comes to its answer."""

import numpy as np

from bloop_proofs.problems import Quadratic
from bloop_proofs.problems.arrays import UNIT_ROUNDOFF


def closed_form_agreement(problem: Quadratic) -> float:
    """Return how far ``null_space_solution`` may lie from the solution.

    Both sides of the first-order conditions, B theta = b and N'(A theta - q) = 0, are known up to
    the rounding errors of the gradients; B^+ multiplies the first (seen in the gradient B'(.)) by
    1 / mu, (N'AN)^-1 the second by 1 / gamma, and an error in the first passes into the second
    through A. The singular vectors of B, and so N, are off by p^2 u over the relative gap of B.
    """
    radius = float(np.linalg.norm(problem.solution))
    errors = problem.rounding_errors(radius)
    p, (_, aux_smooth) = len(problem.solution), problem.smoothness(radius)
    along = errors.grad_main * problem.error_bound(problem.solution)
    condition = float(np.linalg.cond(problem.rows))
    turned = p**2 * UNIT_ROUNDOFF * condition * (aux_smooth * radius + errors.grad_aux)
    slope = float(np.linalg.norm(problem.linear))
    turned += p**2 * UNIT_ROUNDOFF * condition * slope
    across = (errors.grad_aux + turned + aux_smooth * along) / problem.growth
    return along + across
