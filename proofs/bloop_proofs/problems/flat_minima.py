"""A valley of minima whose flatness varies: what implicit regularisation does on it, exactly.

L(u, v) = (1 + u^2) v^2 / 2 is least on the line v = 0, where its Hessian is diag(0, 1 + u^2). All
minima are equally good and (0, 0) is the flattest. Coordinate u is flat, v is sharp. The problem is
the illustration (Fig. 1) of Wang et al., "Improving Generalization and Convergence by Enhancing
Implicit Regularization", NeurIPS 2024. IRE multiplies the step of u by 1 + kappa.

Points are pairs of numbers; ``gradient`` works on floats, fractions and symbols alike.
"""

import math
from typing import Any, TypeAlias

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

Point: TypeAlias = tuple[Any, Any]

SOLVER = 2.0**-43
"""Relative and absolute tolerance asked of SciPy's solvers: about the least its ODE solvers take,
100 times the spacing of float64 at 1."""

FLAT = (True, False)
"""The mask: u is flat."""


def loss(point: Point) -> Any:
    """Return L(u, v) = (1 + u^2) v^2 / 2.

    Example:
        >>> loss((1.0, 2.0))
        4.0
    """
    u, v = point
    return (1 + u * u) * v * v / 2


def gradient(point: Point) -> Point:
    """Return the gradient, (u v^2, (1 + u^2) v).

    Example:
        >>> gradient((1.0, 2.0))
        (4.0, 4.0)
    """
    u, v = point
    return u * v * v, (1 + u * u) * v


def curvature_at_minimum(u: Any) -> Point:
    """Return the diagonal of the Hessian at (u, 0), which there is all of it."""
    return 0 * u, 1 + u * u


def sharpness_gradient(u: Any) -> Any:
    """Return the slope along the valley of half the Hessian's trace, u: where flatness leads."""
    return u


def ascended(point: Point, radius: float) -> Point:
    """Return the point a given distance up the gradient, at which SAM takes its gradient."""
    u, v = point
    along = gradient(point)
    size = math.hypot(*along)
    if size == 0:
        return point
    return u + radius * along[0] / size, v + radius * along[1] / size


def invariant(u: float, v: float, kappa: float) -> float:
    """Return (1 + kappa) v^2 / 2 - ln u - u^2 / 2, which the flow keeps, for u > 0.

    IRE's gradient flow is u' = -(1 + kappa) u v^2, v' = -(1 + u^2) v. Then
    (ln u + u^2 / 2)' = -(1 + kappa) v^2 (1 + u^2) = ((1 + kappa) v^2 / 2)'.
    """
    return (1 + kappa) * v * v / 2 - math.log(u) - u * u / 2


def flow_limit(u: float, v: float, kappa: float) -> float:
    """Return where on the line of minima the flow from (u, v), u > 0, ends: a root of v = 0.

    The root is taken in ln u, so that it is as exact for small u as for large.

    Example:
        >>> round(flow_limit(1.0, 0.5, kappa=9.0), 6)
        0.430552
    """
    constant = invariant(u, v, kappa)
    root = brentq(
        lambda log_u: log_u + math.exp(2 * log_u) / 2 + constant,
        -constant - u * u / 2 - 1,
        math.log(u),
        xtol=SOLVER,
        rtol=SOLVER,
    )
    return math.exp(root)


def flow(u: float, v: float, kappa: float, time: float) -> tuple[float, float, int]:
    """Return where the flow from (u, v), both positive, is at a time, and how many steps it took.

    It is integrated in (ln u, ln v) by SciPy's DOP853.
    """

    def slope(_: float, logs: np.ndarray) -> np.ndarray:
        x, y = np.exp(2 * logs)
        return np.array([-(1 + kappa) * y, -(1 + x)])

    start = np.log([u, v])
    solution = solve_ivp(slope, (0, time), start, method="DOP853", rtol=SOLVER, atol=SOLVER)
    end_u, end_v = np.exp(solution.y[:, -1])
    return float(end_u), float(end_v), len(solution.t) - 1
