"""MGDA: the point of least norm in the convex hull of the gradients."""

from collections.abc import Sequence
from typing import Any

from bloop_ref._scalars import ratio
from bloop_ref._typing import Rows, Scalar
from bloop_ref.surgery._algebra import concrete, minimum, over, relative, where


def mgda_row(gram: Rows, units: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """Return d = sum_k w_k g_k, the w >= 0 of sum 1 being those of the least ||d||.

    Closed form for two gradients. For more an active-set search in Python, exact on fractions,
    which has to read the values: it raises ``TypeError`` for traced or lazy ones.

    Example:
        >>> mgda_row([[25.0, -15.0], [-15.0, 25.0]], (1, 1))
        (0.5, 0.5)
        >>> from fractions import Fraction
        >>> gram = [[Fraction(x) for x in line] for line in ([1, 0, 1], [0, 4, 2], [1, 2, 9])]
        >>> [str(weight) for weight in mgda_row(gram, (1, 1, 1))]
        ['4/5', '1/5', '0']
    """
    if len(units) == 1:
        return (units[0],)
    if len(units) == 2:
        return _of_two(gram, units)
    return _of_many(concrete("mgda", gram), concrete("mgda", [units])[0])


def _of_two(gram: Rows, units: Sequence[Scalar]) -> tuple[Scalar, Scalar]:
    """Return the point of least norm of a segment: an end, or between them.

    The weight of m is <a, a - m> / ||m - a||^2 and that of a <m, m - a> / ||m - a||^2. In either
    product one unit is that of the other gradient: times the unit of its own, over the square of
    the larger, that is the smaller unit.
    """
    (main, aux), (m, a) = units, relative(units)
    (mm, ma), (_, aa) = gram
    on_main, on_aux = a * aa - m * ma, m * mm - a * ma
    least, square = minimum(main, aux), m * on_aux + a * on_main
    return (
        where(on_aux <= 0, main, where(on_main <= 0, 0 * on_main, least * ratio(on_main, square))),
        where(on_aux <= 0, 0 * on_aux, where(on_main <= 0, aux, least * ratio(on_aux, square))),
    )


def _of_many(gram: Rows, units: Sequence[Any]) -> tuple[Any, ...]:
    """Return the point of least norm by Wolfe's active-set method.

    In the unknowns x_k = w_k unit_k / least the problem is to minimise x^T gram x for x >= 0 and
    sum_k border_k x_k = 1, border_k = least / unit_k at most 1: no scale is left in it.
    """
    total = sum(map(sum, gram))
    if total - total != 0:  # NaN and infinity show in every coefficient
        return (total - total,) * len(units)
    least = min(units)
    border = [over(least, unit) for unit in units]
    squares = [gram[k][k] * over(u, least) * over(u, least) for k, u in enumerate(units)]
    first = squares.index(min(squares))
    best = {first: over(units[first], least)}
    value = squares[first]
    while True:
        slopes = [sum(x * line[k] for k, x in best.items()) for line in gram]
        gains = [value * b - slope for b, slope in zip(border, slopes, strict=True)]
        entering = max(
            (k for k in range(len(units)) if k not in best), key=gains.__getitem__, default=first
        )
        if entering in best or gains[entering] <= 0:
            break
        found = _least_on_support({**best, entering: 0}, gram, border, squares[first])
        lower = sum(x * y * gram[i][j] for i, x in found.items() for j, y in found.items())
        if not lower < value:  # what is left is rounding
            break
        best, value = found, lower
    return tuple(best.get(k, 0 * value) * least for k in range(len(units)))


def _least_on_support(
    point: dict[int, Any], gram: Rows, border: Sequence[Any], shift: Any
) -> dict[int, Any]:
    """Return the least point on a face, reached from one of it; what turns negative leaves it."""
    while True:
        face = list(point)
        # adding a multiple of the constraint's square makes the matrix positive definite
        matrix = [[gram[i][j] + shift * border[i] * border[j] for j in face] for i in face]
        solution = _solve(matrix, [border[i] for i in face])
        norm = sum(border[i] * z for i, z in zip(face, solution, strict=True))
        goal = {i: ratio(z, norm) for i, z in zip(face, solution, strict=True)}
        leaving = [i for i in face if goal[i] <= 0]
        if not leaving:
            return goal
        part, out = min((ratio(point[i], point[i] - goal[i]), i) for i in leaving)
        point = {i: x + part * (goal[i] - x) for i, x in point.items() if i != out}


def _solve(matrix: list[list[Any]], right: Sequence[Any]) -> list[Any]:
    """Solve a positive definite system by elimination, exactly on fractions."""
    lines = [[*line, b] for line, b in zip(matrix, right, strict=True)]
    for k, pivot in enumerate(lines):
        for i, line in enumerate(lines):
            if i != k:
                factor = ratio(line[k], pivot[k])
                lines[i] = [x - factor * y for x, y in zip(line, pivot, strict=True)]
    return [ratio(line[-1], line[k]) for k, line in enumerate(lines)]
