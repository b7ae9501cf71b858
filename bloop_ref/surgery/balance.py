"""MetaBalance: auxiliary gradients brought towards the norm of the main one."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

from bloop_ref.aliases import Scalar, Schedule
from bloop_ref.gram_method import GramMethod
from bloop_ref.gramian import Gramian, Pairs
from bloop_ref.scalars import ratio, root


@dataclass(frozen=True, kw_only=True)
class MetaBalance(GramMethod):
    """MetaBalance: d = m + sum_k (r n_0 / n_k + 1 - r) a_k, n moving averages of norms.

    n_k <- beta n_k + (1 - beta) ||g_k|| for every gradient, m's with k = 0, before use. That all
    start from 0 cancels in the quotient. An auxiliary gradient that has always been zero adds
    nothing. One norm is that of the whole gradient; ``PerLeaf(MetaBalance())`` balances every leaf
    by itself, as the authors' implementation does. The state's ``scalars`` are the n_k.

    Args:
        relaxation: r in [0, 1]: 0 is mixed training with lam = 1, 1 gives every auxiliary gradient
            the norm of the main one.
        beta: the weight of the *old* average, in [0, 1]; 1 would never leave 0.

    Example:
        >>> import numpy as np
        >>> MetaBalance(relaxation=1, beta=0)(np.array([3.0, 4.0]), np.array([-8.0, -6.0]))
        array([-1.,  1.])

    Source: He et al., "MetaBalance: Improving Multi-Task Recommendations via Adapting Gradient
    Magnitudes of Auxiliary Tasks", WWW 2022; Table 1 of the Bloop paper has r = 1 and beta = 0.
    """

    numbers: ClassVar[Mapping[str, float | None]] = {"relaxation": 1, "beta": 1}

    relaxation: Schedule = 0.7
    beta: Schedule = 0.9

    def start(self, losses: int) -> tuple[Fraction, ...]:
        """Return averages of 0."""
        return (Fraction(0),) * losses

    def pairs(self, losses: int) -> Pairs:
        """Return the squared norms."""
        return tuple((k, k) for k in range(losses))

    def weights(self, gram: Gramian, scalars: Any, **given: Scalar) -> tuple[Any, Any]:
        """Return the weights, and the averages with the norms of this step."""
        r, beta = self.relaxation, self.beta
        target, *sizes = (
            beta * old + (1 - beta) * (root(gram[k, k]) * gram.unit)
            for k, old in enumerate(scalars)
        )
        return (1, *(r * ratio(target, size) + (1 - r) for size in sizes)), (target, *sizes)
