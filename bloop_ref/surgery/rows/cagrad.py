"""CAGrad: the direction near the mean gradient that is best for the worst-off loss."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bloop_ref._scalars import ratio
from bloop_ref._typing import Rows, Scalar
from bloop_ref.surgery._algebra import (
    clip,
    concrete,
    largest,
    over,
    positive_part,
    relative,
    root,
    where,
)


def cagrad_row(gram: Rows, units: Sequence[Scalar], *, c: Scalar) -> tuple[Scalar, ...]:
    """Return d = g_0 + c ||g_0|| g_w / ||g_w||, and g_0 where g_w = 0; g_0 is the mean gradient.

    w >= 0 of sum 1 minimises <g_w, g_0> + c ||g_0|| ||g_w|| for g_w = sum_k w_k g_k, 0 <= c < 1:
    in closed form for two gradients. For more SciPy's SLSQP, which has to read the values: it
    raises ``TypeError`` for traced or lazy ones.

    Example:
        >>> cagrad_row([[25.0, -15.0], [-15.0, 25.0]], (1, 1), c=0.5)
        (0.75, 0.75)
    """
    if len(units) > 2:
        gram, (units,) = concrete("cagrad", gram), concrete("cagrad", [units])
    scales, count = relative(units), len(units)
    slopes = [sum(line[k] * scale for k, scale in enumerate(scales)) / count for line in gram]
    mean = root(
        positive_part(sum(x * scale for x, scale in zip(slopes, scales, strict=True)) / count)
    )
    if count == 1:
        weights: Sequence[Scalar] = (1,)
    elif count == 2:
        weights = _of_two(gram, scales, c * mean)
    else:
        weights = _of_many(gram, units, slopes, c * mean)
    square = sum(x * y * gram[i][j] for i, x in enumerate(weights) for j, y in enumerate(weights))
    pull = ratio(c * mean, root(positive_part(square))) * largest(units)
    return tuple(unit / count + pull * x for unit, x in zip(units, weights, strict=True))


def _of_two(gram: Rows, scales: Sequence[Scalar], radius: Scalar) -> tuple[Scalar, Scalar]:
    """Return g_w, up to a positive factor, over the gradients over their units.

    With delta = m - a the stationary weight of m is (-k sqrt(h^2 / D) - <delta, a>) / ||delta||^2,
    k = <delta, g_0>, h the distance of the line from 0, D = radius^2 - k^2 / ||delta||^2. Where
    D <= 0 the objective is monotone: all weight is on the smaller gradient, and may be if m = a.
    """
    (mm, ma), (_, aa) = gram
    m, a = scales
    on_main, on_aux = a * (a * aa - m * ma), m * (m * mm - a * ma)
    square, k = on_main + on_aux, (m * m * mm - a * a * aa) / 2
    freedom = radius * radius - ratio(k * k, square)
    height = ratio(m * m * a * a * positive_part(mm * aa - ma * ma), square)
    bend = k * root(positive_part(ratio(height, freedom)))
    inside = (
        clip(ratio(on_main - bend, square), 0, 1) * m,
        clip(ratio(on_aux + bend, square), 0, 1) * a,
    )
    ends = where(k > 0, 0 * k, 1 + 0 * k), where(k > 0, 1 + 0 * k, 0 * k)
    return tuple(
        where(square > 0, where(freedom > 0, x, y), y) for x, y in zip(inside, ends, strict=True)
    )


def _of_many(
    gram: Rows, units: Sequence[Any], slopes: Sequence[Any], radius: Any
) -> Sequence[float]:
    """Return g_w, up to a positive factor, by SciPy.

    The unknowns are x_k = w_k unit_k / least, as for MGDA: no scale is left in them.
    """
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise ImportError(
            'CAGrad of more than two losses needs SciPy: pip install "bloop-ref[proofs]"'
        ) from error
    matrix, linear = np.array(gram, dtype=float), np.array(slopes, dtype=float)
    if not np.isfinite(matrix).all():
        return [float("nan")] * len(units)
    border = np.array([float(over(min(units), unit)) for unit in units])
    reach = float(radius)

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        image = matrix @ x
        norm = np.sqrt(max(float(x @ image), 0.0))
        return float(linear @ x) + reach * norm, linear + reach * float(ratio(1.0, norm)) * image

    constraint = {"type": "eq", "fun": lambda x: border @ x - 1, "jac": lambda x: border}
    found = minimize(
        objective,
        np.full(len(units), 1 / border.sum()),
        jac=True,
        method="SLSQP",
        bounds=[(0, None)] * len(units),
        constraints=[constraint],
        options={"ftol": np.finfo(float).eps, "maxiter": 1000},
    )
    return [float(x) for x in np.maximum(found.x, 0)]
