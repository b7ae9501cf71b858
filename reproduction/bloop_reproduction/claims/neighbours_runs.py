"""SAM-GS from a start to an optimum, and IRE on a valley of minima: the runs of ``neighbours``."""

from fractions import Fraction
from itertools import count
from typing import Any

import numpy as np

from bloop_proofs.problems import Array
from bloop_proofs.problems import flat_minima as valley
from bloop_proofs.problems.two_tasks import QUADRATIC, SEXTIC, TwoTasks, distance
from bloop_ref import ire
from bloop_ref.surgery import SamGS, sam_gs_post_step
from bloop_reproduction.demo.adam import Adam

RADIUS = 0.1
"""Within so much of an optimum a path has arrived."""
PROBLEMS: dict[str, tuple[TwoTasks, float]] = {
    "problem 1": (QUADRATIC, 0.99),
    "problem 2": (SEXTIC, 0.9),
}
"""The illustrations of SAM-GS, and the beta2 that it is run with there."""


def path(problem: str, start: int, *, steps: int) -> Array:
    """Return the points from a published start until they arrive, or so many steps on, (n, 2).

    The direction is multiplied by the number of tasks and clipped to norm 1, which the authors'
    training code does and the published algorithm does not; then Adam takes it, at 1e-3. All of it
    is in float32.
    """
    tasks, beta2 = PROBLEMS[problem]
    method = SamGS(beta2=beta2)
    point = np.array(tasks.starts[start], dtype=np.float32)
    state, adam = method.init(point), Adam(point)
    points = [point.copy()]
    for _ in range(steps):
        if distance(tasks, point) <= RADIUS:
            break
        direction, state = method.step(list(tasks.gradients(point)), state)
        adam.step(point, sam_gs_post_step(direction, losses=2), 1e-3)
        points.append(point.copy())
    return np.array(points)


def step(
    point: valley.Point, slope: valley.Point, *, eta: Any, kappa: Any, mask: Any = valley.FLAT
) -> valley.Point:
    """Return where a step of gradient descent by some slope leads, amplified by the reference."""
    before = tuple(np.asarray(x) for x in point)
    after = tuple(np.asarray(x - eta * g) for x, g in zip(point, slope, strict=True))
    marks = tuple(np.array(n) for n in mask)
    u, v = ire.amplify(before, after, marks, kappa=kappa)
    return u.item(), v.item()


def descend(kappa: Any, steps: int, *, eta: Any = 1, start: Any = (1.0, 0.01)) -> valley.Point:
    """Return where so many steps of gradient descent lead."""
    point: valley.Point = start
    for _ in range(steps):
        point = step(point, valley.gradient(point), eta=eta, kappa=kappa)
    return point


def sam_steps(*, eta: float, radius: float, kappa: float) -> int:
    """Return how many steps of SAM take u from 1 to 1/2, from v = 1/1000."""
    point: valley.Point = (1.0, 1e-3)
    for number in count(1):
        slope = valley.gradient(valley.ascended(point, radius))
        point = step(point, slope, eta=eta, kappa=kappa)
        if point[0] <= 0.5:
            return number
    raise AssertionError("unreachable")


def average_sam_excess(u: Fraction, radius: Fraction) -> tuple[Any, Any]:
    """Return by how much the mean slope on a circle about (u, 0) differs from (radius^2 u / 2, 0).

    The slope is a trigonometric polynomial of degree 3 there: four points give its mean.
    """
    zero = Fraction(0)
    circle = [(radius, zero), (zero, radius), (-radius, zero), (zero, -radius)]
    slopes = [valley.gradient((u + x, y)) for x, y in circle]
    along, across = (sum(column, zero) / 4 for column in zip(*slopes, strict=True))
    return along - radius**2 / 2 * valley.sharpness_gradient(u), across
