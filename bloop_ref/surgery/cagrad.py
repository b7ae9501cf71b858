"""CAGrad: the direction near the mean gradient that is best for the worst-off loss."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bloop_ref.aliases import Scalar, Schedule
from bloop_ref.gram_method import GramMethod
from bloop_ref.gramian import Gramian
from bloop_ref.scalars import clip, known_false, positive_part, ratio, root, where
from bloop_ref.surgery.mgda import at_hand


@dataclass(frozen=True)
class CAGrad(GramMethod):
    """CAGrad: d = g_0 + c ||g_0|| g_w / ||g_w||, g_0 the mean gradient, g_w = sum_k w_k g_k.

    The direction within c ||g_0|| of g_0 that is best for the worst-off loss: it maximises
    min_k <g_k, d>. The w >= 0 of sum 1 minimises <g_w, g_0> + c ||g_0|| ||g_w||; d = g_0 where
    g_w = 0. In closed form for two losses. For more SciPy's SLSQP is needed, and the gradients at
    hand: it raises ``TypeError`` for traced or lazy ones.

    Args:
        c: in [0, 1): 0 is the mean gradient.

    Example:
        >>> import numpy as np
        >>> CAGrad(c=0.5)(np.array([3.0, 4.0]), np.array([-5.0, 0.0]))
        array([-1.5,  3. ])

    Source: Liu, Liu, Jin, Stone and Liu, "Conflict-Averse Gradient Descent for Multi-task
    Learning", NeurIPS 2021.
    """

    numbers: ClassVar[Mapping[str, float | None]] = {"c": None}

    c: Schedule

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        if not callable(self.c) and known_false(lambda: self.c < 1):
            raise ValueError(f"c must be a number in [0, 1); found {self.c}")

    def reads_values(self, losses: int) -> bool:
        """Whether there are more than two losses."""
        return losses > 2

    def weights(self, gram: Gramian, scalars: Any, **given: Scalar) -> tuple[Any, Any]:
        """Return 1 / K + c ||g_0|| w_k / ||g_w||."""
        count = gram.size
        rows: Any = at_hand("CAGrad", gram) if self.reads_values(count) else gram.rows()
        slopes = [sum(line) / count for line in rows]
        radius = self.c * root(positive_part(sum(slopes) / count))
        pulls: Sequence[Scalar] = (1,)
        if count == 2:
            pulls = _of_two(gram, radius)
        elif count > 2:
            pulls = _of_many(rows, slopes, float(radius))
        square = sum(x * y * rows[i][j] for i, x in enumerate(pulls) for j, y in enumerate(pulls))
        pull = ratio(radius, root(positive_part(square)))
        share = 1 / (count + 0 * pull)  # exact beside fractions
        return tuple(share + pull * x for x in pulls), scalars


def _of_two(gram: Gramian, radius: Scalar) -> tuple[Scalar, Scalar]:
    """Return w, up to a positive factor.

    With delta = m - a the stationary weight of m is (-k sqrt(h^2 / D) - <delta, a>) / ||delta||^2,
    k = <delta, g_0>, h the distance of the line from 0, D = radius^2 - k^2 / ||delta||^2. Where
    D <= 0 the objective is monotone: all weight is on the smaller gradient, and may be if m = a.
    """
    mm, ma, aa = gram[0, 0], gram[0, 1], gram[1, 1]
    on_main, on_aux = aa - ma, mm - ma
    square, k = on_main + on_aux, (mm - aa) / 2
    freedom = radius * radius - ratio(k * k, square)
    height = ratio(positive_part(mm * aa - ma * ma), square)
    bend = k * root(positive_part(ratio(height, freedom)))
    inside = clip(ratio(on_main - bend, square), 0, 1), clip(ratio(on_aux + bend, square), 0, 1)
    ends = where(k > 0, 0 * k, 1 + 0 * k), where(k > 0, 1 + 0 * k, 0 * k)
    main, aux = (
        where(square > 0, where(freedom > 0, x, y), y) for x, y in zip(inside, ends, strict=True)
    )
    return main, aux


def _of_many(gram: Any, slopes: Sequence[Any], radius: float) -> Sequence[float]:
    """Return w by SciPy, up to a positive factor.

    The unknowns are w_k ||g_k||, so that no scale is left in them: SLSQP's tolerance is absolute.
    """
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise ImportError(
            'CAGrad of more than two losses needs SciPy: pip install "bloop-ref[proofs]"'
        ) from error
    matrix, linear = np.array(gram, dtype=float), np.array(slopes, dtype=float)
    if not np.isfinite(matrix).all():
        return [float("nan")] * len(slopes)
    norms = np.sqrt(matrix.diagonal())
    least, largest = norms.min(initial=np.inf, where=norms > 0), norms.max()
    if not largest:
        return [1.0] * len(slopes)
    norms = np.where(norms > 0, norms, least)
    border = least / norms
    matrix, linear = matrix / norms / norms[:, None], linear / norms / largest
    reach = radius / largest

    def objective(x: np.ndarray) -> tuple[float, np.ndarray]:
        image = matrix @ x
        norm = np.sqrt(max(float(x @ image), 0.0))
        return float(linear @ x) + reach * norm, linear + reach * float(ratio(1.0, norm)) * image

    found = minimize(
        objective,
        np.full(len(slopes), 1 / border.sum()),
        jac=True,
        method="SLSQP",
        bounds=[(0, None)] * len(slopes),
        constraints=[{"type": "eq", "fun": lambda x: border @ x - 1, "jac": lambda x: border}],
        options={"ftol": np.finfo(float).eps, "maxiter": 1000},
    )
    return [float(x) for x in np.maximum(found.x, 0) * border]
