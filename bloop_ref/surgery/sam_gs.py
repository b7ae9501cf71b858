"""SAM-GS: gradients of unlike norms are equalised, others modulated by their own momentum."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, ClassVar, NamedTuple

from bloop_ref._arrays import beside, join, parts
from bloop_ref._columns import combination, leaf_dtypes, quiet
from bloop_ref._scalars import check_range, ratio
from bloop_ref._typing import Leaves, Rows, Scalar, Vector
from bloop_ref._vectors import Columns, align
from bloop_ref.ema import Tracking
from bloop_ref.surgery._algebra import minimum, over, root, where
from bloop_ref.surgery._method import Method, as_number, diagonal, measured, settled
from bloop_ref.surgery.rows.balance import equalised_row, magnitude_similarity

MOMENTUM = Tracking("updated", "zeros", "propagate", None)
"""Averages from 0, each used after its update, that keep what comes in."""


class SamGSState(NamedTuple):
    """What SAM-GS carries, all before the correction of the start from 0.

    ``momenta`` are the moving averages of the gradients and ``dissimilarity`` that of
    (1 - Psi)^2; ``decays`` are the powers beta1^t and beta2^t after t steps.
    """

    momenta: tuple[Vector, ...]
    dissimilarity: Scalar
    decays: tuple[Scalar, Scalar]


@dataclass(frozen=True, kw_only=True)
class SamGS(Method):
    """SAM-GS: equalised where the norms of the gradients are unlike, else modulated.

    With n_k = ||g_k|| let Psi be the mean over pairs i < j of 2 n_i n_j / (n_i^2 + n_j^2), 1 for
    two zero gradients and for a single one. Every step updates

        M_k <- beta1 M_k + (1 - beta1) g_k,   h <- beta2 h + (1 - beta2) (1 - Psi)^2 + epsilon,

    and with M^ = M / (1 - beta1^t), h^ = h / (1 - beta2^t) the direction is

        d = mean(n) sum_k g_k / n_k   where Psi < gamma,   else   sum_k |M^_k| * g_k / sqrt(h^),

    products and absolute values entry by entry (of real and imaginary parts). A zero gradient adds
    nothing. Of h = 0, which takes an ``epsilon`` of 0 and equal norms from the start, comes d = 0.
    The first form is a combination of gradients, the second is none, and is of degree 2 in their
    common scale: so there is ``step`` and no ``coefficients``.

    Args:
        gamma: the similarity below which the gradients are equalised, >= 0.
        beta1, beta2: the weights of the *old* averages, in [0, 1].
        epsilon: what is added to h, >= 0: by it h^ is at least epsilon / (1 - beta2).

    Example:
        >>> import numpy as np
        >>> method = SamGS()
        >>> g = [np.array([3.0, 4.0]), np.array([0.0, -200.0])]
        >>> method.step(g, method.init(g[0]))[0]
        array([ 61.5, -20.5])

    Source: Borsani et al., "Gradient Similarity Surgery in Multi-Task Deep Learning", 2025, with
    Psi, the equalised sum and the denominator as in the authors' implementation; what their
    training code does to d is ``sam_gs_post_step``.
    """

    state_type: ClassVar[type] = SamGSState

    gamma: Scalar = 0.1
    beta1: Scalar = 0.9
    beta2: Scalar = 0.99
    epsilon: Scalar = 1e-8

    def __post_init__(self) -> None:
        """Check the options."""
        check_range("gamma", self.gamma)
        check_range("beta1", self.beta1, most=1)
        check_range("beta2", self.beta2, most=1)
        check_range("epsilon", self.epsilon)

    @quiet
    def init(self, like: Vector, losses: int = 2) -> SamGSState:
        """Return the state before the first step, for gradients like the given vector."""
        self._check_losses("losses", losses)
        columns = align(like=like)
        zero, one = (0, 1) if columns.wide is None else (columns.scalar(0), columns.scalar(1))
        momenta = tuple(columns.unflatten(MOMENTUM.zeros(columns)) for _ in range(losses))
        return SamGSState(momenta, zero, (one, one))

    def _losses_of(self, state: SamGSState) -> int:
        return len(state.momenta)

    @quiet
    def step(
        self,
        gradients: Sequence[Vector],
        state: SamGSState,
        *,
        norms: tuple[Rows, Sequence[Scalar]] | None = None,
    ) -> tuple[Vector, SamGSState]:
        """Return the direction and the next state.

        Args:
            gradients: [g_main, g_aux, ...], pytrees of arrays; ``None`` is zero.
            state: what ``init`` or the previous ``step`` returned.
            norms: where the gradients are parts of longer ones, ``gram`` and ``units`` of the whole
                as in ``GramMethod``, of which the diagonal is read. All else is entry by entry.
        """
        losses = len(gradients)
        self._check_losses("gradients", losses)
        self._check_state(state, losses)
        both = align(
            **{f"gradients[{k}]": gradient for k, gradient in enumerate(gradients)},
            **{f"state.momenta[{k}]": momentum for k, momentum in enumerate(state.momenta)},
        )
        columns = both.of(*both.leaves[:losses])
        gamma, beta1, beta2, epsilon = (
            as_number(name, getattr(self, name), columns)
            for name in ("gamma", "beta1", "beta2", "epsilon")
        )
        momenta = tuple(
            _averaged(both.of(gradient, momentum), 1 - beta1)
            for gradient, momentum in zip(columns.leaves, both.leaves[losses:], strict=True)
        )
        gram, units = measured(columns, diagonal(losses)) if norms is None else norms
        similarity = magnitude_similarity(gram, units)
        unlike = (1 - similarity) * (1 - similarity)
        h = beta2 * state.dissimilarity + (1 - beta2) * unlike + epsilon
        decays = (beta1 * state.decays[0], beta2 * state.decays[1])
        scale = ratio(1, (1 - decays[0]) * root(ratio(h, 1 - decays[1])))
        own = [over(x, unit) for x, unit in zip(columns.units, units, strict=True)]
        equalised = combination(columns, equalised_row(gram, units), units=own)
        modulated = _modulated(columns, momenta, scale)
        direction = _choose(columns, similarity < gamma, equalised, modulated)
        after = SamGSState(tuple(map(columns.unflatten, momenta)), h, decays)
        return columns.unflatten(direction), settled(after, columns)


def _averaged(columns: Columns, rho: Scalar) -> Leaves:
    """Return the next momentum, for the columns (gradient, momentum)."""
    return MOMENTUM.advance("", columns, rho=rho, fresh=False)[1]


def _modulated(columns: Columns, momenta: Sequence[Leaves], scale: Scalar) -> Leaves:
    """Return scale sum_k |M_k| * g_k."""
    xp, wide = columns.xp, columns.wide

    def leaf(position: int, dtype: Any) -> Any:
        terms = []
        for gradient, momentum in zip(columns.leaves, momenta, strict=True):
            g, m = gradient[position], momentum[position]
            if g is not None:
                factor = beside(scale, g, xp)
                pairs = zip(parts(m, wide, xp), parts(g, wide, xp), strict=True)
                terms.append([abs(x) * factor * y for x, y in pairs])
        summed = [reduce(add, together) for together in zip(*terms, strict=True)]
        return join(summed, dtype, xp) if summed else None

    return tuple(leaf(position, dtype) for position, dtype in enumerate(leaf_dtypes(columns)))


def _choose(columns: Columns, condition: Scalar, new: Leaves, old: Leaves) -> Leaves:
    """Return one vector or the other without reading the condition."""
    return tuple(
        None if x is None else columns.xp.where(beside(condition, x, columns.xp), x, y)
        for x, y in zip(new, old, strict=True)
    )


@quiet
def sam_gs(*gradients: Vector, state: SamGSState | None = None, **options: Scalar) -> Vector:
    """Return SAM-GS's direction after a given state, by default at the first step; see ``SamGS``.

    Args:
        *gradients: g_main, g_aux, ..., pytrees of arrays; ``None`` is zero.
        state: of ``SamGS``.
        **options: of ``SamGS``.

    Returns and raises as in ``mixed``.

    Example:
        >>> import numpy as np
        >>> sam_gs(np.array([3.0, 4.0]), np.array([0.0, -200.0]))
        array([ 61.5, -20.5])

    Source: see ``SamGS``.
    """
    method = SamGS(**options)
    if state is None:
        state = method.init(gradients[0] if gradients else None, losses=len(gradients))
    return method.step(gradients, state)[0]


@quiet
def sam_gs_post_step(
    direction: Vector, *, losses: int, max_norm: Scalar = 1, epsilon: Scalar = 1e-6
) -> Vector:
    """Return K d, clipped: K d min(1, max_norm / (K ||d|| + epsilon)), K the number of losses.

    What the authors' training code does between SAM-GS and the optimiser; without it the method
    does not reproduce their figures. Not part of the published algorithm.

    Args:
        direction: what ``SamGS.step`` returned, a pytree of arrays; ``None`` is zero.
        losses: K.
        max_norm: the norm above which d is clipped, >= 0.
        epsilon: added to the norm in the denominator, >= 0; 0 clips to ``max_norm`` exactly.

    Raises:
        TypeError: a leaf is no floating array.
        ValueError: an option is out of range.

    Example:
        >>> import numpy as np
        >>> sam_gs_post_step(np.array([3.0, 4.0]), losses=2, epsilon=0)
        array([0.6, 0.8])
        >>> sam_gs_post_step(np.array([0.25, 0.0]), losses=2)
        array([0.5, 0. ])

    Source: the training code of Borsani et al.; see ``SamGS``.
    """
    columns = align(direction=direction)
    for name, value in (("losses", losses), ("max_norm", max_norm), ("epsilon", epsilon)):
        check_range(name, value)
    most, least = (
        as_number(name, x, columns) for name, x in (("max_norm", max_norm), ("epsilon", epsilon))
    )
    gram, (unit,) = measured(columns, diagonal(1))
    clipped = ratio(most, root(gram[0][0]) + over(over(least, unit), losses))
    row = (where(gram[0][0] == 0, losses * unit, minimum(losses * unit, clipped)),)
    return columns.unflatten(combination(columns, row, units=(1,)))
