"""SAM-GS: gradients of unlike norms are equalised, others modulated by their own momentum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import combinations
from operator import add
from typing import Any, ClassVar

from bloop_ref.aliases import Leaves, Rows, Scalar, Schedule, Vector
from bloop_ref.arrays import beside, join, parts, quiet
from bloop_ref.gramian import Gramian, Pairs
from bloop_ref.linear import combination, gramian
from bloop_ref.method import Method
from bloop_ref.scalars import as_scalar, check_range, minimum, ratio, root, where
from bloop_ref.vectors import Stack, align, choose


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
    common scale: so there is no matrix. The state remembers the M_k, and as scalars
    (h, beta1^t, beta2^t).

    Args:
        gamma: the similarity below which the gradients are equalised, >= 0.
        beta1, beta2: the weights of the *old* averages, in [0, 1].
        epsilon: what is added to h, >= 0: by it h^ is at least epsilon / (1 - beta2).

    Example:
        >>> import numpy as np
        >>> SamGS()(np.array([3.0, 4.0]), np.array([0.0, -200.0]))
        array([ 61.5, -20.5])

    Source: Borsani et al., "Gradient Similarity Surgery in Multi-Task Deep Learning", 2025, with
    Psi, the equalised sum and the denominator as in the authors' implementation; what their
    training code does to d is ``sam_gs_post_step``.
    """

    project_on = "updated"
    numbers: ClassVar[Mapping[str, float | None]] = {
        "gamma": None,
        "beta1": 1,
        "beta2": 1,
        "epsilon": None,
    }

    gamma: Schedule = 0.1
    beta1: Schedule = 0.9
    beta2: Schedule = 0.99
    epsilon: Schedule = 1e-8

    def remembers(self, losses: int) -> int:
        """Return one for each gradient."""
        return losses

    def memory(self, losses: int) -> Rows:
        """Return M_k <- beta1 M_k + (1 - beta1) g_k."""
        beta1 = self.beta1
        row = [1 - beta1, *[0] * (losses - 1), beta1, *[0] * (losses - 1)]
        return tuple(tuple(row[j - k] for j in range(2 * losses)) for k in range(losses))

    def start(self, losses: int) -> tuple[Fraction, ...]:
        """Return (h, beta1^0, beta2^0)."""
        return Fraction(0), Fraction(1), Fraction(1)

    def pairs(self, losses: int) -> Pairs:
        """Return the squared norms of the gradients."""
        return tuple((k, k) for k in range(losses))

    def direct(
        self, stack: Stack, scalars: Any, *, gram: Gramian | None = None, **given: Scalar
    ) -> tuple[Leaves, Any]:
        """Return the direction of gradients and updated momenta, and the next scalars.

        ``gram``, from an engine that measures vectors in its own way, has what ``pairs`` asks for,
        of the whole where the gradients are parts of longer ones; all else is entry by entry.
        """
        losses = len(stack.leaves) // 2
        gradients = stack.of(*stack.leaves[:losses])
        if gram is None:
            gram = gramian(gradients, self.pairs(losses))
        h, *decays = scalars
        beta1, beta2 = self.beta1, self.beta2
        similarity = _similarity(gram, losses)
        unlike = (1 - similarity) * (1 - similarity)
        h = beta2 * h + (1 - beta2) * unlike + self.epsilon
        decays = [beta1 * decays[0], beta2 * decays[1]]
        scale = ratio(1, (1 - decays[0]) * root(ratio(h, 1 - decays[1])))
        equalised = combination(gradients, _equalised(gram, losses))
        modulated = _modulated(stack, losses, scale)
        direction = choose(stack, similarity < self.gamma, equalised, modulated)
        return direction, (h, *decays)


def _similarity(gram: Gramian, losses: int) -> Scalar:
    """Return Psi."""
    pairs = [
        where(x + y == 0, 1 + 0 * x, ratio(2 * root(x) * root(y), x + y))
        for x, y in combinations([gram[k, k] for k in range(losses)], 2)
    ]
    return reduce(add, pairs) / len(pairs) if pairs else 1 + 0 * gram[0, 0]


def _equalised(gram: Gramian, losses: int) -> Sequence[Scalar]:
    """Return mean(n) sum_k g_k / n_k over the gradients."""
    norms = [root(gram[k, k]) for k in range(losses)]
    mean = reduce(add, norms) / losses
    return [ratio(mean, norm) for norm in norms]


def _modulated(stack: Stack, losses: int, scale: Scalar) -> Leaves:
    """Return scale sum_k |M_k| * g_k."""
    xp, wide = stack.xp, stack.wide

    def leaf(position: int, dtype: Any) -> Any:
        terms = []
        for k in range(losses):
            g, m = stack.leaves[k][position], stack.leaves[losses + k][position]
            if g is not None:
                factor = beside(scale, g, xp)
                pairs = zip(parts(m, wide, xp), parts(g, wide, xp), strict=True)
                terms.append([abs(x) * factor * y for x, y in pairs])
        summed = [reduce(add, together) for together in zip(*terms, strict=True)]
        return join(summed, dtype, xp) if summed else None

    gradients = stack.of(*stack.leaves[:losses])
    return tuple(leaf(position, dtype) for position, dtype in enumerate(gradients.dtypes))


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
    stack = align(direction=direction)
    check_range("losses", losses)
    most, least = (
        as_scalar(name, x, stack) for name, x in (("max_norm", max_norm), ("epsilon", epsilon))
    )
    gram = gramian(stack, ((0, 0),))
    size = root(gram[0, 0]) * gram.unit
    clipped = ratio(most, size + least / losses)
    factor = where(size == 0, losses + 0 * size, minimum(losses + 0 * size, clipped))
    return stack.unflatten(combination(stack, (factor,)))
