"""MetaBalance: auxiliary gradients brought towards the norm of the main one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from bloop_ref._columns import quiet
from bloop_ref._scalars import check_range
from bloop_ref._typing import Rows, Scalar, Vector
from bloop_ref._vectors import Columns
from bloop_ref.surgery._method import GramMethod, Pairs, diagonal, named
from bloop_ref.surgery.rows.balance import meta_balance_row, norms_of


class MetaBalanceState(NamedTuple):
    """The moving averages of the gradients' norms, all from 0."""

    norms: tuple[Scalar, ...]


@dataclass(frozen=True, kw_only=True)
class MetaBalance(GramMethod):
    """MetaBalance: d = m + sum_k (r n_0 / n_k + 1 - r) a_k, n moving averages of norms.

    n_k <- beta n_k + (1 - beta) ||g_k|| for every gradient, m's with k = 0, before use. That all
    start from 0 cancels in the quotient. An auxiliary gradient that has always been zero adds
    nothing. One norm is that of the whole gradient; ``PerLeaf(MetaBalance())`` balances every leaf
    by itself, as the authors' implementation does.

    Args:
        relaxation: r in [0, 1]: 0 is mixed training with lam = 1, 1 gives every auxiliary gradient
            the norm of the main one.
        beta: the weight of the *old* average, in [0, 1]; 1 would never leave 0.

    Example:
        >>> import numpy as np
        >>> balance = MetaBalance(relaxation=1, beta=0)
        >>> g = [np.array([3.0, 4.0]), np.array([-8.0, -6.0])]
        >>> balance.step(g, balance.init(g[0]))[0]
        array([-1.,  1.])

    Source: He et al., "MetaBalance: Improving Multi-Task Recommendations via Adapting Gradient
    Magnitudes of Auxiliary Tasks", WWW 2022; Table 1 of the Bloop paper has r = 1 and beta = 0.
    """

    numbers: ClassVar[tuple[str, ...]] = ("relaxation", "beta")
    state_type: ClassVar[type] = MetaBalanceState

    relaxation: Scalar = 0.7
    beta: Scalar = 0.9

    def __post_init__(self) -> None:
        """Check the options."""
        check_range("relaxation", self.relaxation, most=1)
        check_range("beta", self.beta, most=1)

    def start(self, losses: int, columns: Columns) -> MetaBalanceState:
        """Return averages of 0."""
        zero = 0 if columns.wide is None else columns.scalar(0)
        return MetaBalanceState((zero,) * losses)

    def _losses_of(self, state: MetaBalanceState) -> int:
        return len(state.norms)

    def pairs(self, losses: int) -> Pairs:
        """Return the squared norms."""
        return diagonal(losses)

    def coefficients(
        self, gram: Rows, units: Sequence[Scalar], state: MetaBalanceState
    ) -> tuple[tuple[Scalar, ...], MetaBalanceState]:
        """Return ``meta_balance_row``, and the averages with the norms of this step."""
        norms = tuple(
            self.beta * old + (1 - self.beta) * new
            for old, new in zip(state.norms, norms_of(gram, units), strict=True)
        )
        row = meta_balance_row(units, norms=norms, relaxation=self.relaxation)
        return row, MetaBalanceState(norms)


@quiet
def meta_balance(g_main: Vector, *g_aux: Vector, relaxation: Scalar = 0.7) -> Vector:
    """Return d = m + sum_k (r ||m|| / ||a_k|| + 1 - r) a_k, a first step of ``MetaBalance``.

    Args, returns and raises as in ``mixed``; ``relaxation`` is r, in [0, 1].

    Example:
        >>> import numpy as np
        >>> meta_balance(np.array([3.0, 4.0]), np.array([-8.0, -6.0]), relaxation=1)
        array([-1.,  1.])

    Source: see ``MetaBalance``.
    """
    return MetaBalance(relaxation=relaxation, beta=0).once(named(g_main, g_aux))
