"""MGDA: the point of least norm in the convex hull of the gradients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import array_api_compat

from bloop_ref.aliases import Rows, Scalar
from bloop_ref.gram_method import GramMethod
from bloop_ref.gramian import Gramian
from bloop_ref.scalars import ratio, where


@dataclass(frozen=True)
class MGDA(GramMethod):
    """MGDA: d = sum_k w_k g_k, the point of least norm in the convex hull of the gradients.

    <d, g_k> >= ||d||^2 for every k: d lowers all losses, and is 0 only where no direction does.
    For two losses d = w m + (1 - w) a with w = <a - m, a> / ||m - a||^2 clipped to [0, 1]. For more
    an active-set search, exact on fractions, needs the gradients at hand: it raises ``TypeError``
    for traced or lazy ones.

    Example:
        >>> import numpy as np
        >>> MGDA()(np.array([3.0, 4.0]), np.array([-5.0, 0.0]))
        array([-1.,  2.])

    Source: Sener and Koltun, "Multi-Task Learning as Multi-Objective Optimization", NeurIPS 2018;
    MTL-MOO in Table 1 of the Bloop paper, whose weight has the opposite sign and no clipping.
    """

    def reads_values(self, losses: int) -> bool:
        """Whether there are more than two losses."""
        return losses > 2

    def weights(self, gram: Gramian, scalars: Any, **given: Scalar) -> tuple[Any, Any]:
        """Return w."""
        if gram.size == 1:
            return (1,), scalars
        if gram.size == 2:
            return _of_two(gram), scalars
        return _of_many(at_hand("MGDA", gram)), scalars


def at_hand(method: str, gram: Gramian) -> list[list[Any]]:
    """Return inner products as Python numbers; ``TypeError`` for traced and lazy arrays."""
    return [[_read(method, x) for x in row] for row in gram.rows()]


def _read(method: str, x: Scalar) -> Any:
    if not array_api_compat.is_array_api_obj(x):
        return x
    required = f"{method} of more than two gradients searches by their values, "
    if array_api_compat.is_dask_array(x):
        raise TypeError(f"{required}which must be at hand; found a lazy array")
    try:
        return float(x)
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"{required}which must be at hand; found a traced array") from error


def _of_two(gram: Gramian) -> tuple[Scalar, Scalar]:
    """Return the point of least norm of a segment: an end, or between them."""
    on_main, on_aux = gram[1, 1] - gram[0, 1], gram[0, 0] - gram[0, 1]
    inside, nothing = ratio(on_main, on_main + on_aux), 0 * on_main
    w = where(on_aux <= 0, 1 + nothing, where(on_main <= 0, nothing, inside))
    rest = ratio(on_aux, on_main + on_aux)
    return w, where(on_aux <= 0, nothing, where(on_main <= 0, 1 + nothing, rest))


def _of_many(gram: Rows) -> tuple[Any, ...]:
    """Return the point of least norm by Wolfe's active-set method."""
    total = sum(map(sum, gram))
    if total - total != 0:  # NaN and infinity show in every weight
        return (total - total,) * len(gram)
    squares = [gram[k][k] for k in range(len(gram))]
    value = min(squares)
    best = {squares.index(value): 1 + 0 * value}
    shift = value
    while True:
        gains = [value - sum(x * line[k] for k, x in best.items()) for line in gram]
        others = [k for k in range(len(gram)) if k not in best and gains[k] > 0]
        if not others:
            break
        entering = max(others, key=gains.__getitem__)
        found = _least_on_support({**best, entering: 0 * value}, gram, shift)
        lower = sum(x * y * gram[i][j] for i, x in found.items() for j, y in found.items())
        if not lower < value:  # what is left is rounding
            break
        best, value = found, lower
    return tuple(best.get(k, 0 * value) for k in range(len(gram)))


def _least_on_support(point: dict[int, Any], gram: Rows, shift: Any) -> dict[int, Any]:
    """Return the least point on a face, reached from one of it; what turns negative leaves it."""
    while True:
        face = list(point)
        # adding a multiple of (sum w)^2, which is 1, makes the matrix positive definite
        solution = _solve([[gram[i][j] + shift for j in face] for i in face])
        goal = {i: ratio(z, sum(solution)) for i, z in zip(face, solution, strict=True)}
        leaving = [i for i in face if goal[i] <= 0]
        if not leaving:
            return goal
        part, out = min((ratio(point[i], point[i] - goal[i]), i) for i in leaving)
        point = {i: x + part * (goal[i] - x) for i, x in point.items() if i != out}


def _solve(matrix: Sequence[Sequence[Any]]) -> list[Any]:
    """Solve a positive definite system with ones on the right, exactly on fractions."""
    lines = [[*line, 1] for line in matrix]
    for k, pivot in enumerate(lines):
        for i, line in enumerate(lines):
            if i != k:
                factor = ratio(line[k], pivot[k])
                lines[i] = [x - factor * y for x, y in zip(line, pivot, strict=True)]
    return [ratio(line[-1], line[k]) for k, line in enumerate(lines)]
