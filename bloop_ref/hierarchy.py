"""Bloop for losses in a strict hierarchy of any depth (section 2.3, eq. 6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from bloop_ref.aliases import Leaves, Rows, Scalar, Schedule, Vector
from bloop_ref.arrays import quiet
from bloop_ref.bloop import set_averaging
from bloop_ref.gram_method import GramMethod
from bloop_ref.gramian import Gramian, Pairs
from bloop_ref.linear import combination
from bloop_ref.projection import Basis
from bloop_ref.scalars import as_scalar, ratio, where
from bloop_ref.vectors import Stack, align


@dataclass(frozen=True, init=False)
class HierarchicalBloop(GramMethod):
    """Bloop for L + 1 losses in a strict hierarchy, with its state.

    The paper states the full batch only. The stochastic form keeps one EMA e_k of the *raw*
    gradient of every level but the last, and projects on those from before the step,

        d = g_0 + sum_k lam_k pi(g_k; span(e_0, ..., e_{k-1})),  e_k <- (1 - rho_k) e_k + rho_k g_k.

    The projection is linear in g_k, so E[d] keeps the form of the two-level case; the span does
    not depend on the scale of an average; and with L = 1 this is ``Bloop``. ``step`` projects
    vectors; ``matrix`` says the same by inner products, which know an angle to the root of their
    precision only.

    Args:
        lams: lam_1, ..., lam_L >= 0, each a number, a scalar array, or a function of the number of
            steps taken.
        rho: the weight of the new gradient in every average, in [0, 1], likewise; or one per
            level, L of them.
        project_on, init, rescale, nonfinite, ema_dtype: as in ``Bloop``; a bad gradient of an
            averaged level keeps all averages, and ``rescale`` multiplies by 1 / (1 + sum of lams).
        rank_tolerance: as in ``hierarchical_direction``; in ``matrix`` no less than the root of 32
            float64 spacings by default.

    Raises:
        TypeError, ValueError: an option is none of the above; as in ``hierarchical_direction``.

    Example:
        >>> import numpy as np
        >>> bloop = HierarchicalBloop(lams=[2.0, 1.0], rho=1.0, project_on="updated")
        >>> g = [np.array(v) for v in ([1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 2.0])]
        >>> direction, state = bloop.step(g, bloop.init(g[0], losses=3))
        >>> direction.round(12)
        array([1., 1., 3.])

    Source: section 2.3, eq. 6; the averages as in Algorithm 1.
    """

    numbers: ClassVar[dict[str, float | None]] = {"lams": None, "rho": 1, "rank_tolerance": 1}
    several: ClassVar[tuple[str, ...]] = ("lams", "rho")
    optional: ClassVar[tuple[str, ...]] = ("rank_tolerance",)

    lams: tuple[Schedule, ...]
    rho: tuple[Schedule, ...]
    rank_tolerance: Scalar | None
    project_on: str
    first_average: str
    rescale: bool
    memory_dtype: Any

    def __init__(
        self,
        lams: Sequence[Schedule],
        rho: Schedule | Sequence[Schedule],
        *,
        project_on: Literal["previous", "updated"] = "previous",
        init: Literal["zeros", "first"] = "zeros",
        rescale: bool = False,
        nonfinite: Literal["skip", "raise", "propagate"] = "skip",
        ema_dtype: Any = None,
        rank_tolerance: Scalar | None = None,
    ) -> None:
        """Check the options; see the class."""
        rhos = tuple(rho) if isinstance(rho, list | tuple) else (rho,) * len(lams)
        if not lams:
            raise ValueError("lams must have at least one entry; found none")
        if len(rhos) != len(lams):
            raise ValueError(
                f"rho must have one entry per lam: required {len(lams)}, found {len(rhos)}"
            )
        object.__setattr__(self, "lams", tuple(lams))
        object.__setattr__(self, "rho", rhos)
        object.__setattr__(self, "rank_tolerance", rank_tolerance)
        set_averaging(self, project_on, init, rescale, nonfinite, ema_dtype)

    def check_losses(self, name: str, losses: int) -> None:
        """Raise ``ValueError`` unless there is one loss more than weights."""
        if losses != len(self.lams) + 1:
            raise ValueError(
                f"{name} must have one entry more than lams: "
                f"required {len(self.lams) + 1}, found {losses}"
            )

    def remembers(self, losses: int) -> int:
        """Return L: an average for every level but the last."""
        return len(self.lams)

    def auxiliary_weights(self, losses: int) -> tuple[Scalar, ...]:
        """Return lam_1, ..., lam_L."""
        return self.lams

    def memory(self, losses: int) -> Rows:
        """Return e_k <- (1 - rho_k) e_k + rho_k g_k for every level but the last."""
        size, first = 2 * len(self.rho) + 1, len(self.rho) + 1
        return tuple(
            tuple(rho if j == k else 1 - rho if j == first + k else 0 for j in range(size))
            for k, rho in enumerate(self.rho)
        )

    def watched(self, losses: int) -> tuple[int, ...]:
        """Return the places of all levels but the last, whatever rho is."""
        return tuple(range(len(self.lams)))

    def pairs(self, losses: int) -> Pairs:
        """Return the inner products among references, and of each with the gradients below it."""
        levels, first = len(self.lams), len(self.lams) + 1
        among = [(first + i, first + j) for j in range(levels) for i in range(j + 1)]
        across = [(k, first + j) for k in range(1, first) for j in range(k)]
        return (*among, *across)

    def weights(self, gram: Gramian, scalars: Any, **given: Scalar) -> tuple[Any, Any]:
        """Return eq. 6 over (g_0, ..., g_L, e_0, ..., e_{L-1})."""
        first, lams = len(self.lams) + 1, self.lams
        factor, squares = self._orthogonalised(gram, first)
        taken_out: list[Scalar] = [0] * len(lams)
        for k, lam in enumerate(lams, start=1):
            products = [gram[k, first + j] for j in range(k)]
            for j, weight in enumerate(_projected(products, factor, squares)):
                taken_out[j] = taken_out[j] - lam * weight
        return (1, *lams, *taken_out), scalars

    def _orthogonalised(self, gram: Gramian, first: int) -> tuple[list[list[Scalar]], list[Scalar]]:
        """Return L and D of gram = L D L^T: e_j = q_j + sum_i L[j][i] q_i, D[j] = ||q_j||^2.

        The q are orthogonal; one that is too small for the tolerance is 0.
        """
        tolerance = self.rank_tolerance
        if tolerance is None:
            tolerance = max(32 * gram.spacing, ROOT) if gram.spacing else 0
        factor: list[list[Scalar]] = []
        squares: list[Scalar] = []
        for j in range(len(self.lams)):
            square = gram[first + j, first + j]
            along = _along([gram[first + j, first + i] for i in range(j)], factor)
            factor.append([ratio(x, d) for x, d in zip(along, squares, strict=True)])
            left = square - sum(x * weight for x, weight in zip(along, factor[j], strict=True))
            # NaN compares false, and so is kept and seen
            squares.append(where(left <= tolerance * tolerance * square, 0 * square, left))
        return factor, squares

    def direct(self, stack: Stack, scalars: Any, **given: Scalar) -> tuple[Leaves, Any]:
        """Return the direction by projecting vectors, in the precision of their entries."""
        factor = 1 / (1 + sum(self.lams)) if self.rescale else 1
        return _direction(stack, self.lams, self.rank_tolerance, factor=factor), scalars


ROOT = 32**0.5 * 2.0**-26
"""What part of a norm inner products in float64 can tell from nothing: sqrt(32 spacings)."""


def _along(products: Sequence[Scalar], factor: Rows) -> list[Scalar]:
    """Return <v, q_j> from <v, e_j>."""
    found: list[Scalar] = []
    for product, line in zip(products, factor, strict=False):
        found.append(product - sum(weight * x for weight, x in zip(line, found, strict=True)))
    return found


def _projected(products: Sequence[Scalar], factor: Rows, squares: Sequence[Scalar]) -> list[Scalar]:
    """Return the weights of e_0, e_1, ... in the part of v that lies in their span."""
    weights = [ratio(x, d) for x, d in zip(_along(products, factor), squares, strict=False)]
    for j in reversed(range(len(weights))):
        # q_j = e_j - sum_i L[j][i] q_i
        for i in range(j):
            weights[i] = weights[i] - factor[j][i] * weights[j]
    return weights


@quiet
def hierarchical_direction(
    gradients: Sequence[Vector],
    references: Sequence[Vector],
    *,
    lams: Sequence[Scalar],
    rank_tolerance: Scalar | None = None,
) -> Vector:
    """Return d = g_0 + sum_k lam_k pi(g_k; span(r_0, ..., r_{k-1})), k = 1..L.

    With r_k = g_k this is the full-batch method of the paper. Then <d, g_0> = ||g_0||^2, and level
    k changes no inner product of d with the gradient of a level before it: a deeper level never
    disturbs a shallower one. With L = 1 it is eq. 5, r_0 the EMA.

    Args:
        gradients: g_0, ..., g_L, the main gradient first: pytrees of arrays of one structure,
            shapes and library; ``None`` is zero.
        references: r_0, ..., r_{L-1}, likewise. One that depends on those before it adds nothing.
        lams: lam_1, ..., lam_L, numbers or zero-dimensional arrays >= 0.
        rank_tolerance: what part of its norm a reference must have outside the span of those
            before it to count; see ``project_orthogonal``.

    Returns:
        The direction, with the dtypes of g_0.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: structures, shapes or devices differ, the numbers of gradients, references and
            lams do not fit, or a value is out of range.

    Example:
        >>> import numpy as np
        >>> g = [np.array(v) for v in ([1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 2.0])]
        >>> hierarchical_direction(g, g[:2], lams=[2, 1]).round(12)
        array([1., 1., 3.])

    Source: section 2.3, eq. 6.
    """
    HierarchicalBloop(lams, 1).check_losses("gradients", len(gradients))
    if len(references) != len(lams):
        raise ValueError(
            f"references must have one entry per lam: required {len(lams)}, found {len(references)}"
        )
    stack = align(
        **{f"gradients[{k}]": gradient for k, gradient in enumerate(gradients)},
        **{f"references[{k}]": reference for k, reference in enumerate(references)},
    )
    weights = [as_scalar(f"lams[{k}]", lam, stack) for k, lam in enumerate(lams)]
    return stack.unflatten(_direction(stack, weights, rank_tolerance))


def _direction(
    stack: Stack, lams: Sequence[Scalar], rank_tolerance: Scalar | None, *, factor: Scalar = 1
) -> Leaves:
    """Return eq. 6 times a factor, for the stack (g_0, ..., g_L, r_0, ..., r_{L-1})."""
    levels = len(lams)
    g_main, *lower = stack.leaves[: levels + 1]
    basis = Basis(stack, rank_tolerance)
    parts = []
    for gradient, reference in zip(lower, stack.leaves[levels + 1 :], strict=True):
        basis.extend(reference)
        parts.append(basis.remove_from(gradient))
    row = [factor * weight for weight in (1, *lams)]
    return combination(stack.of(g_main, *parts), row, stack.dtypes)
