"""Two tasks in the plane whose gradients differ by orders of magnitude: SAM-GS's illustrations.

Above y = 0 both problems have two logarithmic valleys, below they have bowls:

    L_k = c(y) F_k + c(-y) Q_k,   c(y) = max(tanh(y / 2), 0),
    F_1 = log max(|u|, floor) + 6,  u = (-x - 7) / 2 + tanh(y),  F_2 its mirror image,

and Q_k quadratic in ``QUADRATIC``, of sixth degree in ``SEXTIC``. The tasks are mirror images:
L_1(-x, y) = L_2(x, y). So a method that is blind to the order of tasks and to the sign of a
coordinate takes mirrored starts along mirrored paths, and never leaves x = 0 in exact arithmetic.

Functions take arrays of any library that follows the array API, of shape (..., 2).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import array_api_compat
import numpy as np

Array: TypeAlias = Any

FLOOR = 5e-6
"""Where the logarithm is cut off."""


@dataclass(frozen=True)
class TwoTasks:
    """A problem of two mirrored tasks; ``bowl`` returns Q_1 and its partial derivatives.

    ``optima`` are the points where L_1 + L_2 is least, ``starts`` those of the published runs.
    """

    name: str
    bowl: Callable[[Array, Array], tuple[Array, Array, Array]]
    starts: tuple[tuple[float, float], ...]
    optima: tuple[tuple[float, float], ...]

    def losses(self, points: Array) -> tuple[Array, Array]:
        """Return L_1 and L_2.

        Example:
            >>> first, second = QUADRATIC.losses(np.array([0.0, -8.35511]))
            >>> round(float(first), 4), round(float(second), 4)
            (-15.0916, -15.0916)
        """
        first, second = (self._task(points, side)[0] for side in (1, -1))
        return first, second

    def gradients(self, points: Array) -> tuple[Array, Array]:
        """Return the gradients of L_1 and L_2, of the shape of the points."""
        first, second = (self._task(points, side)[1] for side in (1, -1))
        return first, second

    def _task(self, points: Array, side: int) -> tuple[Array, Array]:
        """Return the loss and the gradient of task 1, or of its mirror image for side -1."""
        xp = array_api_compat.array_namespace(points)
        x, y = side * points[..., 0], points[..., 1]
        u, slope = (-x - 7) / 2 + xp.tanh(y), 1 - xp.tanh(y) ** 2
        inside = xp.abs(u) >= FLOOR
        safe = xp.where(inside, u, xp.full_like(u, FLOOR))
        valley, by_u = xp.log(xp.abs(safe)) + 6, xp.where(inside, 1 / safe, xp.zeros_like(u))
        bowl, bowl_x, bowl_y = self.bowl(x, y)
        half = xp.tanh(y / 2)
        upper, lower = (xp.maximum(sign * half, xp.zeros_like(half)) for sign in (1, -1))
        bend = (1 - half**2) / 2
        on_upper = xp.where(y >= 0, bend, xp.zeros_like(bend))
        on_lower = xp.where(y <= 0, -bend, xp.zeros_like(bend))
        by_x = upper * by_u * -0.5 + lower * bowl_x
        by_y = on_upper * valley + upper * by_u * slope + on_lower * bowl + lower * bowl_y
        return upper * valley + lower * bowl, xp.stack([side * by_x, by_y], axis=-1)


def _quadratic(x: Array, y: Array) -> tuple[Array, Array, Array]:
    return ((x - 7) ** 2 + (y + 8) ** 2 / 10) / 10 - 20, (x - 7) / 5, (y + 8) / 50


def _sextic(x: Array, y: Array) -> tuple[Array, Array, Array]:
    far, near, v = (x - 5.45) / 4, (x - 5.5) / 4, y / 4
    value = (far**6 + v**6) / 10 - (near**4 + v**4) - 1.5 * (near**2 + v**2) + 1.5
    by_x = (0.6 * far**5 - 4 * near**3 - 3 * near) / 4
    return value, by_x, (0.6 * v**5 - 4 * v**3 - 3 * v) / 4


QUADRATIC = TwoTasks(
    "quadratic bowls",
    _quadratic,
    starts=((-8, 5), (-3, 7.5), (0, 10), (3, 7.5), (8, 5), (-10, -3), (10, -3)),
    optima=((0.0, -8.35511),),
)
"""Problem 1: one optimum, between the bowls."""

SEXTIC = TwoTasks(
    "sextic bowls",
    _sextic,
    starts=((-3.5, 5.5), (3.5, 5.5), (-6.5, 2.5), (6.5, 2.5), (0, 10), (0, -8)),
    optima=((-5.45457, -10.84261), (5.45457, -10.84261)),
)
"""Problem 2: two mirrored optima, and a saddle at (0, -10.843) that two starts cannot leave."""


def distance(problem: TwoTasks, points: Array) -> np.ndarray:
    """Return how far points are from the nearest optimum."""
    where = np.asarray(points)[..., None, :] - np.array(problem.optima)
    return np.asarray(np.min(np.linalg.norm(where, axis=-1), axis=-1))
