"""How far a right program's outputs may lie from the golden ones.

The bounds of ``bloop_proofs.tolerances``, for vectors as rows of numbers, with what golden vectors
add to them: the required output is itself rounded once, and errors are carried from step to step
and from level to level. ``u`` is the unit roundoff of the gradients, ``u_ema`` that of the EMA.
Underflow has no term of its own. A product that becomes subnormal errs by half the least spacing,
which is u times the least normal number; one that is flushed to zero errs by that number itself.
The vectors' norms are at least 8 times the least normal number in float16, whose subnormals
everybody keeps, and 8 / u times it elsewhere, so either error is less than u / 8 times the norm.
"""

from collections.abc import Sequence

import numpy as np

from bloop_proofs.tolerances import SLACK, average_bound, direction_bound, norm


def direction(u: float, g_main: np.ndarray, g_aux: np.ndarray, lam: float) -> float:
    """Return the bound on a direction: eq. 5's, and u ||d|| for the rounding of the golden one."""
    main, aux = norm(g_main), norm(g_aux)
    return direction_bound(u, g_main.size, main, aux, lam) + u * (main + lam * aux)


def average(u: float, u_ema: float, ema: np.ndarray, g_main: np.ndarray, rho: float) -> float:
    """Return the bound on a new EMA, with u_ema (||e|| + ||g||) for the golden one's rounding."""
    main, before = norm(g_main), norm(ema)
    return average_bound(u_ema, u, main, before, rho) + u_ema * (main + before)


def turned(error: float, ema: np.ndarray, g_aux: np.ndarray, lam: float) -> float:
    """Return how far the direction moves when the EMA is wrong by ``error``.

    The angle between e and e + f has a sine of at most ||f|| / ||e||, and the projections on two
    lines differ by the sine of the angle between these: lam ||g_aux|| ||f|| / ||e||.
    """
    return lam * norm(g_aux) * error / norm(ema) if error else 0.0


class Span:
    """The bounds of projections on a span that grows reference by reference, as eq. 6 needs them.

    A projection on one vector errs by beta ||a||, ``direction_bound`` with lam = 1 and no main
    gradient. One on a basis of residuals that are turned by t_j errs by the sum of beta + t_j over
    the basis, times ||a||: exact projections make nothing longer. A residual left of r is turned by
    its error over its norm.
    """

    def __init__(self, u: float, n: int) -> None:
        """Start with the span {0} in n dimensions."""
        self.single = direction_bound(u, n, 0.0, 1.0, 1.0)
        self.error = 0.0

    def extend(self, reference: np.ndarray, residual: float) -> None:
        """Add a reference that has a residual of a given norm; one of norm 0 adds nothing."""
        if residual:
            self.error += self.single + self.error * norm(reference) / residual


def projected(u: float, vector: np.ndarray, span: float) -> float:
    """Return the bound on a projection on a span of given error; the golden one is rounded once."""
    return (span + u) * norm(vector)


def hierarchy(
    u: float, gradients: Sequence[np.ndarray], lams: Sequence[float], spans: Sequence[float]
) -> float:
    """Return the bound on the direction of eq. 6, ``spans`` the error of each level's projection.

    Weighting and adding a level rounds twice relative to at most ||g_0|| + sum lam_k ||g_k||,
    which bounds the golden direction too.
    """
    main, *others = map(norm, gradients)
    weighted = [lam * size for lam, size in zip(lams, others, strict=True)]
    levels = sum(error * size for error, size in zip(spans, weighted, strict=True))
    return levels + (SLACK * len(lams) + 1) * u * (main + sum(weighted))
