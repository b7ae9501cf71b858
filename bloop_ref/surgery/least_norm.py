"""MGDA and CAGrad: the best direction in a convex hull, or near the mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from bloop_ref._columns import quiet
from bloop_ref._scalars import check_range, known_false
from bloop_ref._typing import Rows, Scalar, Vector
from bloop_ref.surgery._method import GramMethod, Pairs, all_pairs, numbered
from bloop_ref.surgery.rows.cagrad import cagrad_row
from bloop_ref.surgery.rows.least_norm import mgda_row


@dataclass(frozen=True)
class MGDA(GramMethod):
    """MGDA: d = sum_k w_k g_k, the point of least norm in the convex hull of the gradients.

    <d, g_k> >= ||d||^2 for every k: d lowers all losses, and is 0 only where no direction does.
    For two losses d = w m + (1 - w) a with w = <a - m, a> / ||m - a||^2 clipped to [0, 1]. For more
    the gradients have to be at hand, neither traced nor lazy (``TypeError``). Stateless.

    Example:
        >>> import numpy as np
        >>> MGDA().step([np.array([3.0, 4.0]), np.array([-5.0, 0.0])], ())
        (array([-1.,  2.]), ())

    Source: Sener and Koltun, "Multi-Task Learning as Multi-Objective Optimization", NeurIPS 2018;
    MTL-MOO in Table 1 of the Bloop paper, whose weight has the opposite sign and no clipping.
    """

    def pairs(self, losses: int) -> Pairs:
        """Return all pairs."""
        return all_pairs(losses)

    def coefficients(
        self, gram: Rows, units: Sequence[Scalar], state: tuple[()]
    ) -> tuple[tuple[Scalar, ...], tuple[()]]:
        """Return ``mgda_row``."""
        return mgda_row(gram, units), state


@quiet
def mgda(*gradients: Vector) -> Vector:
    """Return the point of least norm in the convex hull of some gradients; see ``MGDA``.

    Args:
        *gradients: pytrees of arrays of one structure, shapes and library; ``None`` is zero.

    Returns and raises as in ``mixed``, and ``TypeError`` for more than two traced gradients.

    Example:
        >>> import numpy as np
        >>> mgda(np.array([3.0, 4.0]), np.array([-5.0, 0.0]))
        array([-1.,  2.])

    Source: see ``MGDA``.
    """
    return MGDA().once(numbered(gradients))


@dataclass(frozen=True)
class CAGrad(GramMethod):
    """CAGrad: d = g_0 + c ||g_0|| g_w / ||g_w||, g_0 the mean gradient, g_w = sum_k w_k g_k.

    The direction within c ||g_0|| of g_0 that is best for the worst-off loss: it maximises
    min_k <g_k, d>. The w >= 0 of sum 1 minimises <g_w, g_0> + c ||g_0|| ||g_w||; d = g_0 where
    g_w = 0. In closed form for two losses. For more SciPy is needed, and the gradients have to be
    at hand, neither traced nor lazy (``TypeError``). Stateless.

    Args:
        c: in [0, 1): 0 is the mean gradient.

    Example:
        >>> import numpy as np
        >>> CAGrad(c=0.5).step([np.array([3.0, 4.0]), np.array([-5.0, 0.0])], ())
        (array([-1.5,  3. ]), ())

    Source: Liu, Liu, Jin, Stone and Liu, "Conflict-Averse Gradient Descent for Multi-task
    Learning", NeurIPS 2021.
    """

    numbers: ClassVar[tuple[str, ...]] = ("c",)

    c: Scalar

    def __post_init__(self) -> None:
        """Check the options."""
        check_range("c", self.c)
        if known_false(lambda: self.c < 1):
            raise ValueError(f"c must be a number in [0, 1); found {self.c}")

    def pairs(self, losses: int) -> Pairs:
        """Return all pairs."""
        return all_pairs(losses)

    def coefficients(
        self, gram: Rows, units: Sequence[Scalar], state: tuple[()]
    ) -> tuple[tuple[Scalar, ...], tuple[()]]:
        """Return ``cagrad_row``."""
        return cagrad_row(gram, units, c=self.c), state


@quiet
def cagrad(*gradients: Vector, c: Scalar) -> Vector:
    """Return the conflict-averse direction of some gradients; see ``CAGrad``.

    Args, returns and raises as in ``mgda``; ``c`` as in ``CAGrad``.

    Example:
        >>> import numpy as np
        >>> cagrad(np.array([3.0, 4.0]), np.array([-5.0, 0.0]), c=0.5)
        array([-1.5,  3. ])

    Source: see ``CAGrad``.
    """
    return CAGrad(c).once(numbered(gradients))
