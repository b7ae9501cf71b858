"""Bounds on flows, and on what ODE solvers leave."""

import math

from bloop_proofs.problems.flat_minima import SOLVER
from bloop_proofs.tolerances.steps import SLACK


def amplified_bound(u: float, result: float, further: float) -> float:
    """Return the bound on one entry of b + kappa (b - a), computed with roundoff u in that order.

    The difference, kappa, and the product round once each, relative to ``further``, the absolute
    value of kappa (b - a); the sum rounds once. The second order is less than one more u.
    """
    return u * (result + 4 * further)


def flow_bound(u: float, end: float, steps: int) -> float:
    """Return the relative bound on the end of the flow of ``flat_minima`` from u to ``end``.

    An integrator of tolerance ``SOLVER`` estimates that a step errs by no more in ln u and ln v,
    times one and their sizes, 1 + ln(u / end) as long as v is large enough to matter; the
    estimates, good to ``SLACK``, add up. An error
    eps of ln v is passed on to ln u as 2 (1 + kappa) eps int v^2 dt = 2 eps ln(u / end), and one of
    ln u returns to ln v with the weight 2 int u^2 dt, over the time 1 / 2 in which v^2 matters, at
    most u^2.
    """
    logs = math.log(u / end)
    return SLACK * steps * SOLVER * (1 + logs) * (1 + 2 * logs) * (1 + u * u)
