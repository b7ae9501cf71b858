"""Mixed training, A-GEM, dynamic barrier and cosine gating."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from bloop_ref._columns import quiet
from bloop_ref._scalars import check_choice
from bloop_ref._typing import Rows, Scalar, Vector
from bloop_ref.surgery._method import GramMethod, Pairs, check_weights, named, weights
from bloop_ref.surgery.rows.gates import (
    a_gem_row,
    cosine_gate_row,
    mixed_row,
)

Row = tuple[tuple[Scalar, ...], tuple[()]]


@dataclass(frozen=True)
class Mixed(GramMethod):
    """Mixed training: d = m + sum_k lam_k a_k, the gradient of the weighted sum of the losses.

    Reads no inner product; stateless.

    Args:
        lam: the weight of the auxiliary losses, >= 0: one number, or one for each.
        rescale: multiply by 1 / (1 + sum of the weights).

    Example:
        >>> import numpy as np
        >>> Mixed(lam=0.5).step([np.array([3.0, 4.0]), np.array([-5.0, 0.0])], ())
        (array([0.5, 4. ]), ())

    Source: eq. 1 and Table 1 of the Bloop paper; ``rescale`` from its experiments' appendix.
    """

    numbers: ClassVar[tuple[str, ...]] = ("lam",)

    lam: Scalar | Sequence[Scalar]
    _: KW_ONLY
    rescale: bool = False

    def __post_init__(self) -> None:
        """Check the options."""
        check_weights(self, "lam")
        check_choice("rescale", self.rescale, (False, True))

    def pairs(self, losses: int) -> Pairs:
        """Return no pair."""
        return ()

    def coefficients(self, gram: Rows, units: Sequence[Scalar], state: tuple[()]) -> Row:
        """Return ``mixed_row``."""
        lams = weights("lam", self.lam, len(units))
        return mixed_row(units, lams=lams, rescale=self.rescale), state


@quiet
def mixed(g_main: Vector, *g_aux: Vector, lam: Scalar | Sequence[Scalar]) -> Vector:
    """Return d = m + lam a, the gradient of L_main + lam L_aux; see ``Mixed``.

    Args:
        g_main: the main gradient, a pytree of arrays; ``None`` is zero.
        *g_aux: the auxiliary gradient, or several, of the same structure, shapes and library.
        lam: the weight of the auxiliary loss, a number or zero-dimensional array >= 0; for several
            losses also a sequence with one for each.

    Returns:
        The direction, with the dtypes of ``g_main``.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: structures, shapes or devices differ, or lam < 0.

    Example:
        >>> import numpy as np
        >>> mixed(np.array([3.0, 4.0]), np.array([-5.0, 0.0]), lam=0.5)
        array([0.5, 4. ])

    Source: eq. 1; Table 1.
    """
    return Mixed(lam).once(named(g_main, g_aux, lam))


@dataclass(frozen=True)
class AGem(GramMethod):
    """A-GEM: d = m where <m, a> >= 0, else pi(m; a), the part of m orthogonal to a.

    The direction nearest to m under <d, a> >= 0. It is a that is protected, and a is never added.
    d = m for a = 0; at <m, a> = 0 both cases agree. For two losses; stateless.

    Example:
        >>> import numpy as np
        >>> AGem().step([np.array([3.0, 4.0]), np.array([-4.0, 0.0])], ())
        (array([0., 4.]), ())

    Source: Chaudhry et al., "Efficient Lifelong Learning with A-GEM", ICLR 2019; Table 1 of the
    Bloop paper.
    """

    least_losses: ClassVar[int] = 2
    most_losses: ClassVar[int | None] = 2

    def pairs(self, losses: int) -> Pairs:
        """Return (m, a) and (a, a)."""
        return ((0, 1), (1, 1))

    def coefficients(self, gram: Rows, units: Sequence[Scalar], state: tuple[()]) -> Row:
        """Return ``a_gem_row``."""
        return a_gem_row(gram, units), state


@quiet
def a_gem(g_main: Vector, g_aux: Vector) -> Vector:
    """Return d = m, less its part along a where <m, a> < 0; see ``AGem``.

    Args, returns and raises as in ``mixed``.

    Example:
        >>> import numpy as np
        >>> a_gem(np.array([3.0, 4.0]), np.array([-4.0, 0.0]))
        array([0., 4.])

    Source: see ``AGem``.
    """
    return AGem().once(named(g_main, (g_aux,)))


@dataclass(frozen=True)
class CosineGate(GramMethod):
    """Cosine gating: d = m + sum_k gate_k a_k, each auxiliary gradient gated against m by itself.

    Weighted, the gate is max(0, cos(m, a)). Unweighted, it is 1 for an acute angle, 0 for an obtuse
    one and ``tie`` where <m, a> = 0. The cosine with a zero vector is 0. Stateless.

    Args:
        weighted: which of the two.
        tie: 0, 1/2 or 1; published implementations differ.

    Example:
        >>> import numpy as np
        >>> CosineGate().step([np.array([3.0, 4.0]), np.array([5.0, 0.0])], ())
        (array([6., 4.]), ())

    Source: Du et al., "Adapting Auxiliary Losses Using Gradient Similarity", 2018; Table 1 of the
    Bloop paper has the weighted form.
    """

    _: KW_ONLY
    weighted: bool = True
    tie: Scalar = 1

    def __post_init__(self) -> None:
        """Check the options."""
        check_choice("weighted", self.weighted, (False, True))
        check_choice("tie", self.tie, (0, 0.5, 1))

    def pairs(self, losses: int) -> Pairs:
        """Return (m, a) of every a; if weighted, the squared norms too."""
        if losses == 1:
            return ()
        squares = tuple((k, k) for k in range(losses)) if self.weighted else ()
        return (*squares, *((0, j) for j in range(1, losses)))

    def coefficients(self, gram: Rows, units: Sequence[Scalar], state: tuple[()]) -> Row:
        """Return ``cosine_gate_row``."""
        return cosine_gate_row(gram, units, weighted=self.weighted, tie=self.tie), state


@quiet
def cosine_gate(g_main: Vector, *g_aux: Vector, weighted: bool = True, tie: Scalar = 1) -> Vector:
    """Return d = m + sum_k gate_k a_k, gated by the cosine with m; see ``CosineGate``.

    Args, returns and raises as in ``mixed``; ``weighted`` and ``tie`` as in ``CosineGate``.

    Example:
        >>> import numpy as np
        >>> cosine_gate(np.array([3.0, 4.0]), np.array([5.0, 0.0]), weighted=False)
        array([8., 4.])

    Source: see ``CosineGate``.
    """
    return CosineGate(weighted=weighted, tie=tie).once(named(g_main, g_aux))
