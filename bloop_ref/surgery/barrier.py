"""Dynamic barrier: the auxiliary direction, corrected so that the main loss falls fast enough."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from bloop_ref._columns import quiet
from bloop_ref._scalars import check_range
from bloop_ref._typing import Rows, Scalar, Vector
from bloop_ref.surgery._method import GramMethod, Pairs, check_weights, named, weights
from bloop_ref.surgery.rows.gates import dynamic_barrier_row


@dataclass(frozen=True)
class DynamicBarrier(GramMethod):
    """Dynamic barrier: d = b + max(0, (psi - <m, b>) / ||m||^2) m with b = sum_k lam_k a_k.

    The direction nearest to b under <m, d> >= psi. The barrier psi is beta ||m||^2, or, with a
    ``level`` that the main loss is to reach, min(alpha (L_main - level), beta ||m||^2): below the
    level it is negative and the main loss may rise; ``step`` and ``coefficients`` then need the
    keyword ``main_loss``. d = b for m = 0. Stateless.

    With lam = 1 this is the original; with beta = 1 and any lam the form that Bloop is compared
    with, which is full-batch Bloop (eq. 3) where lam <m, a> <= ||m||^2.

    Args:
        lam: the weight of the auxiliary losses, >= 0: one number, or one for each.
        beta: a number >= 0.
        alpha: a number >= 0, with ``level`` only.
        level: a number: what the main loss may be, or a lower bound of it.

    Example:
        >>> import numpy as np
        >>> gradients = [np.array([3.0, 4.0]), np.array([5.0, 0.0])]
        >>> DynamicBarrier().step(gradients, ())
        (array([6.2, 1.6]), ())
        >>> DynamicBarrier(level=0.0).step(gradients, (), main_loss=2.0)
        (array([5., 0.]), ())

    Source: Gong, Liu and Liu, "Automatic and Harmless Regularization with Constrained and
    Lexicographic Optimization", NeurIPS 2021; lam from section 5.1 of the Bloop paper.
    """

    numbers: ClassVar[tuple[str, ...]] = ("lam", "beta", "alpha")
    least_losses: ClassVar[int] = 2

    lam: Scalar | Sequence[Scalar] = 1
    _: KW_ONLY
    beta: Scalar = 1
    alpha: Scalar = 1
    level: Scalar | None = None

    def __post_init__(self) -> None:
        """Check the options."""
        check_weights(self, "lam")
        check_range("beta", self.beta)
        check_range("alpha", self.alpha)

    def pairs(self, losses: int) -> Pairs:
        """Return (m, m) and (m, a) of every a."""
        return tuple((0, j) for j in range(losses))

    def coefficients(
        self,
        gram: Rows,
        units: Sequence[Scalar],
        state: tuple[()],
        *,
        main_loss: Scalar | None = None,
    ) -> tuple[tuple[Scalar, ...], tuple[()]]:
        """Return ``dynamic_barrier_row``; ``main_loss`` is needed with a ``level``, and only then.

        Raises ``ValueError`` where it is lacking or would not be read.
        """
        if (main_loss is None) != (self.level is None):
            found = "none" if main_loss is None else "one"
            required = "none without a level" if self.level is None else "the value of L_main"
            raise ValueError(
                f"main_loss must be given with a level: required {required}, found {found}"
            )
        excess = None if main_loss is None else self.alpha * (main_loss - self.level)
        lams = weights("lam", self.lam, len(units))
        return dynamic_barrier_row(gram, units, lams=lams, beta=self.beta, excess=excess), state


@quiet
def dynamic_barrier(
    g_main: Vector,
    *g_aux: Vector,
    lam: Scalar | Sequence[Scalar] = 1,
    beta: Scalar = 1,
    alpha: Scalar = 1,
    level: Scalar | None = None,
    main_loss: Scalar | None = None,
) -> Vector:
    """Return d = lam a + max(beta - lam <m, a> / ||m||^2, 0) m, and lam a where m = 0.

    The main loss falls at least beta times as fast as under its own gradient; with a ``level`` and
    the value ``main_loss``, or alpha (main_loss - level) if that is less. See ``DynamicBarrier``.

    Args, returns and raises as in ``mixed``; the options as in ``DynamicBarrier``.

    Example:
        >>> import numpy as np
        >>> dynamic_barrier(np.array([3.0, 4.0]), np.array([-5.0, 0.0]), lam=0.5)
        array([1.4, 5.2])

    Source: see ``DynamicBarrier``.
    """
    method = DynamicBarrier(lam, beta=beta, alpha=alpha, level=level)
    given = {} if main_loss is None else {"main_loss": main_loss}
    return method.once(named(g_main, g_aux, lam), **given)
