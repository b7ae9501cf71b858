"""How near other ways to solve a problem come to its answer."""

import numpy as np

from bloop_proofs.problems.base import BilevelProblem


def scipy_agreement(problem: BilevelProblem) -> float:
    """Return how far SciPy's answer may lie from the solution.

    SLSQP ends when a step gains less than ``solver_ftol``; converging at least by halves, it then
    has no more than that left to gain, and rounding adds at most as much. So the loss found lies
    within delta = 2 solver_ftol of the least, and with growth gamma at the solution
    gamma / 2 distance^2 <= delta. A factor 2 covers the third-order terms of the growth and the
    violation of the constraint, which is of the order of delta and not of its root.
    """
    return 2 * float(np.sqrt(4 * problem.solver_ftol / problem.growth))
