"""Mixed training, A-GEM, cosine gating and dynamic barrier: at most one quotient for each loss."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from bloop_ref.aliases import Scalar, Schedule
from bloop_ref.gram_method import GramMethod
from bloop_ref.gramian import Gramian, Pairs
from bloop_ref.scalars import check_choice, cosine, minimum, positive_part, ratio, where


@dataclass(frozen=True)
class Mixed(GramMethod):
    """Mixed training: d = m + sum_k lam_k a_k, the gradient of the weighted sum of the losses.

    Reads no inner product.

    Args:
        lam: the weight of the auxiliary losses, >= 0, or a function of the number of steps taken:
            one for all, or one for each.
        rescale: multiply by 1 / (1 + sum of the weights).

    Example:
        >>> import numpy as np
        >>> Mixed(lam=0.5)(np.array([3.0, 4.0]), np.array([-5.0, 0.0]))
        array([0.5, 4. ])

    Source: eq. 1 and Table 1 of the Bloop paper; ``rescale`` from its experiments' appendix.
    """

    numbers: ClassVar[Mapping[str, float | None]] = {"lam": None}

    lam: Schedule | Sequence[Schedule]
    _: KW_ONLY
    rescale: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        check_choice("rescale", self.rescale, (False, True))

    def pairs(self, losses: int) -> Pairs:
        """Return no pair."""
        return ()

    def weights(self, gram: Gramian, scalars: Any, **given: Scalar) -> tuple[Any, Any]:
        """Return (1, lam_1, ...)."""
        return (1, *self.auxiliary_weights(gram.size)), scalars


@dataclass(frozen=True)
class AGem(GramMethod):
    """A-GEM: d = m where <m, a> >= 0, else pi(m; a), the part of m orthogonal to a.

    The direction nearest to m under <d, a> >= 0. It is a that is protected, and a is never added.
    d = m for a = 0; at <m, a> = 0 both cases agree. For two losses.

    Example:
        >>> import numpy as np
        >>> AGem()(np.array([3.0, 4.0]), np.array([-4.0, 0.0]))
        array([0., 4.])

    Source: Chaudhry et al., "Efficient Lifelong Learning with A-GEM", ICLR 2019; Table 1 of the
    Bloop paper.
    """

    least_losses: ClassVar[int] = 2
    most_losses: ClassVar[int | None] = 2

    def pairs(self, losses: int) -> Pairs:
        """Return (m, a) and (a, a)."""
        return ((0, 1), (1, 1))

    def weights(self, gram: Gramian, scalars: Any, **given: Scalar) -> tuple[Any, Any]:
        """Return d = m - min(0, <m, a>) / ||a||^2 a."""
        return (1, ratio(positive_part(-gram[0, 1]), gram[1, 1])), scalars


@dataclass(frozen=True)
class CosineGate(GramMethod):
    """Cosine gating: d = m + sum_k gate_k a_k, each auxiliary gradient gated against m by itself.

    Weighted, the gate is max(0, cos(m, a)). Unweighted, it is 1 for an acute angle, 0 for an obtuse
    one and ``tie`` where <m, a> = 0. The cosine with a zero vector is 0.

    Args:
        weighted: which of the two.
        tie: 0, 1/2 or 1; published implementations differ.

    Example:
        >>> import numpy as np
        >>> CosineGate()(np.array([3.0, 4.0]), np.array([5.0, 0.0]))
        array([6., 4.])

    Source: Du et al., "Adapting Auxiliary Losses Using Gradient Similarity", 2018; Table 1 of the
    Bloop paper has the weighted form.
    """

    _: KW_ONLY
    weighted: bool = True
    tie: Scalar = 1

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        check_choice("weighted", self.weighted, (False, True))
        check_choice("tie", self.tie, (0, 0.5, 1))

    def pairs(self, losses: int) -> Pairs:
        """Return (m, a) of every a; if weighted, the squared norms too."""
        if losses == 1:
            return ()
        squares = tuple((k, k) for k in range(losses)) if self.weighted else ()
        return (*squares, *((0, j) for j in range(1, losses)))

    def weights(self, gram: Gramian, scalars: Any, **given: Scalar) -> tuple[Any, Any]:
        """Return 1 and the gates."""
        return (1, *(self._gate(gram, j) for j in range(1, gram.size))), scalars

    def _gate(self, gram: Gramian, j: int) -> Scalar:
        ma = gram[0, j]
        if self.weighted:
            return positive_part(cosine(ma, gram[0, 0], gram[j, j]))
        closed = 0 * ma  # NaN where <m, a> is
        return where(ma > 0, 1 + closed, where(ma < 0, closed, self.tie + closed))


@dataclass(frozen=True)
class DynamicBarrier(GramMethod):
    """Dynamic barrier: d = b + max(0, (psi - <m, b>) / ||m||^2) m with b = sum_k lam_k a_k.

    The direction nearest to b under <m, d> >= psi. The barrier psi is beta ||m||^2, or, with a
    ``level`` that the main loss is to reach, min(alpha (L_main - level), beta ||m||^2): below the
    level it is negative and the main loss may rise; a step then needs the keyword ``main_loss``.
    d = b for m = 0.

    With lam = 1 this is the original; with beta = 1 and any lam the form that Bloop is compared
    with, which is full-batch Bloop (eq. 3) where lam <m, a> <= ||m||^2.

    Args:
        lam: the weight of the auxiliary losses, as in ``Mixed``.
        beta: a number >= 0.
        alpha: a number >= 0, with ``level`` only.
        level: a number: what the main loss may be, or a lower bound of it.

    Example:
        >>> import numpy as np
        >>> gradients = np.array([3.0, 4.0]), np.array([5.0, 0.0])
        >>> DynamicBarrier()(*gradients), DynamicBarrier(level=0.0)(*gradients, main_loss=2.0)
        (array([6.2, 1.6]), array([5., 0.]))

    Source: Gong, Liu and Liu, "Automatic and Harmless Regularization with Constrained and
    Lexicographic Optimization", NeurIPS 2021; lam from section 5.1 of the Bloop paper.
    """

    numbers: ClassVar[Mapping[str, float | None]] = {"lam": None, "beta": None, "alpha": None}
    least_losses: ClassVar[int] = 2

    lam: Schedule | Sequence[Schedule] = 1
    _: KW_ONLY
    beta: Schedule = 1
    alpha: Schedule = 1
    level: Scalar | None = None

    def pairs(self, losses: int) -> Pairs:
        """Return (m, m) and (m, a) of every a."""
        return tuple((0, j) for j in range(losses))

    def weights(
        self, gram: Gramian, scalars: Any, *, main_loss: Scalar | None = None, **given: Scalar
    ) -> tuple[Any, Any]:
        """Return the weights; ``main_loss`` is needed with a ``level``, and only then.

        Raises ``ValueError`` where it is lacking or would not be read.
        """
        if (main_loss is None) != (self.level is None):
            found = "none" if main_loss is None else "one"
            required = "none without a level" if self.level is None else "the value of L_main"
            raise ValueError(
                f"main_loss must be given with a level: required {required}, found {found}"
            )
        lams, barrier = self.auxiliary_weights(gram.size), self.beta
        if main_loss is not None:
            # a value from outside, against a square that was measured over the unit
            excess = self.alpha * (main_loss - self.level) / gram.unit / gram.unit
            barrier = minimum(ratio(excess, gram[0, 0]), barrier)
        along = [lam * ratio(gram[0, j], gram[0, 0]) for j, lam in enumerate(lams, start=1)]
        return (positive_part(barrier - sum(along)), *lams), scalars
