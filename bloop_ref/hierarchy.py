"""Bloop for losses in a strict hierarchy of any depth (section 2.3, eq. 6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add
from typing import Any, Literal, NamedTuple

from bloop_ref._columns import combination, leaf_dtypes, quiet
from bloop_ref._scalars import as_scalar, at_step, check_choice, check_range, check_schedule
from bloop_ref._typing import Array, Leaves, Scalar, Schedule, Vector
from bloop_ref._vectors import Columns, align
from bloop_ref.coefficients import rescaling
from bloop_ref.ema import Tracking
from bloop_ref.projection import Basis


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
    columns = _aligned(gradients, references, lams)
    weights = [as_scalar(f"lams[{k}]", lam, columns) for k, lam in enumerate(lams)]
    return columns.unflatten(_direction(columns, weights, rank_tolerance))


def _direction(
    columns: Columns, lams: Sequence[Scalar], rank_tolerance: Scalar | None, *, factor: Scalar = 1
) -> Leaves:
    """Return eq. 6 times a factor, for the columns (g_0, ..., g_L, r_0, ..., r_{L-1})."""
    levels = len(lams)
    g_main, *lower = columns.leaves[: levels + 1]
    references = columns.leaves[levels + 1 :]
    basis = Basis(columns, rank_tolerance)
    parts = []
    for gradient, reference in zip(lower, references, strict=True):
        basis.extend(reference)
        parts.append(basis.remove_from(gradient))
    row = [factor * weight for weight in (1, *lams)]
    return combination(columns.of(g_main, *parts), row, dtypes=leaf_dtypes(columns))


def _aligned(
    gradients: Sequence[Vector],
    references: Sequence[Vector],
    lams: Sequence[Schedule],
    *,
    name: str = "references",
) -> Columns:
    """Check that there are L + 1 gradients, L references and L weights, all alike."""
    levels = len(lams)
    if not levels:
        raise ValueError("lams must have at least one entry; found none")
    if len(gradients) != levels + 1:
        raise ValueError(
            "gradients must have one entry more than lams: "
            f"required {levels + 1}, found {len(gradients)}"
        )
    if len(references) != levels:
        raise ValueError(
            f"{name} must have one entry per lam: required {levels}, found {len(references)}"
        )
    return align(
        **{f"gradients[{k}]": gradient for k, gradient in enumerate(gradients)},
        **{f"{name}[{k}]": reference for k, reference in enumerate(references)},
    )


class HierarchicalBloopState(NamedTuple):
    """What the hierarchy carries: for every level but the last an average and a skip counter.

    ``emas[k]`` averages the gradients of level k, ``count`` is the number of steps taken and
    ``skipped[k]`` how many of them had a gradient of level k that was not finite.
    """

    emas: tuple[Vector, ...]
    count: Array
    skipped: tuple[Array, ...]


@dataclass(frozen=True, init=False)
class HierarchicalBloop:
    """Bloop for L + 1 losses in a strict hierarchy, with its state.

    The paper states the full batch only. The stochastic form keeps one EMA e_k of the *raw*
    gradient of every level but the last, and projects on those from before the step,

        d = g_0 + sum_k lam_k pi(g_k; span(e_0, ..., e_{k-1})),  e_k <- (1 - rho_k) e_k + rho_k g_k.

    The projection is linear in g_k, so E[d] keeps the form of the two-level case; the span does
    not depend on the scale of an average; and with L = 1 this is ``Bloop``.

    Args:
        lams: lam_1, ..., lam_L >= 0, each a number, a scalar array, or a function of the number of
            steps taken.
        rho: the weight of the new gradient in every average, in [0, 1], likewise; or one per
            level, L of them.
        project_on, init, rescale, nonfinite, ema_dtype: as in ``Bloop``, each level by itself;
            ``rescale`` multiplies by 1 / (1 + sum of lams).
        rank_tolerance: as in ``hierarchical_direction``.

    Raises:
        ValueError: an option is out of range; in ``step``, what ``hierarchical_direction`` raises.

    Example:
        >>> import numpy as np
        >>> bloop = HierarchicalBloop(lams=[2.0, 1.0], rho=1.0, project_on="updated")
        >>> g = [np.array(v) for v in ([1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 2.0])]
        >>> direction, state = bloop.step(g, bloop.init(g[0]))
        >>> direction.round(12)
        array([1., 1., 3.])

    Source: section 2.3, eq. 6; the averages as in Algorithm 1.
    """

    lams: tuple[Schedule, ...]
    rhos: tuple[Schedule, ...]
    rescale: bool
    rank_tolerance: Scalar | None
    tracking: Tracking

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
        for k, (lam, weight) in enumerate(zip(lams, rhos, strict=True)):
            check_schedule(f"lams[{k}]", lam)
            check_schedule(f"rho[{k}]", weight, most=1)
        check_choice("rescale", rescale, (False, True))
        if rank_tolerance is not None:
            check_range("rank_tolerance", rank_tolerance, most=1)
        object.__setattr__(self, "lams", tuple(lams))
        object.__setattr__(self, "rhos", rhos)
        object.__setattr__(self, "rescale", rescale)
        object.__setattr__(self, "rank_tolerance", rank_tolerance)
        object.__setattr__(self, "tracking", Tracking(project_on, init, nonfinite, ema_dtype))

    def init(self, like: Vector) -> HierarchicalBloopState:
        """Return the state before the first step, for gradients like the given vector."""
        columns = align(like=like)
        return HierarchicalBloopState(
            tuple(columns.unflatten(self.tracking.zeros(columns)) for _ in self.lams),
            columns.counter(0),
            tuple(columns.counter(0) for _ in self.lams),
        )

    @quiet
    def step(
        self, gradients: Sequence[Vector], state: HierarchicalBloopState
    ) -> tuple[Vector, HierarchicalBloopState]:
        """Return the direction and the next state.

        Args:
            gradients: g_0, ..., g_L of this batch, the main gradient first.
            state: what ``init`` or the previous ``step`` returned.

        Raises:
            TypeError: a leaf is no floating array, array libraries are mixed, or ``state`` is no
                ``HierarchicalBloopState``.
            ValueError: structures, shapes or devices differ, there are not L + 1 gradients, or a
                hyper-parameter is out of range.
            FloatingPointError: with ``nonfinite="raise"``, a gradient that is averaged is not
                finite.
        """
        if not isinstance(state, HierarchicalBloopState):
            raise TypeError(
                "state must be a HierarchicalBloopState, as init and step return it; "
                f"found {type(state).__name__}"
            )
        columns = _aligned(gradients, state.emas, self.lams, name="state.emas")
        levels, count = len(self.lams), state.count
        lams = [
            as_scalar(f"lams[{k}]", at_step(lam, count), columns) for k, lam in enumerate(self.lams)
        ]
        tracked = [
            self.tracking.advance(
                f"gradients[{k}]",
                columns.of(columns.leaves[k], columns.leaves[levels + 1 + k]),
                rho=as_scalar(f"rho[{k}]", at_step(rho, count), columns, most=1),
                fresh=columns.scalar(count == skipped, columns.xp.bool),
            )
            for k, (rho, skipped) in enumerate(zip(self.rhos, state.skipped, strict=True))
        ]
        references, emas, kept_out = zip(*tracked, strict=True)
        factor = rescaling(lam=sum(lams)) if self.rescale else 1
        direction = _direction(
            columns.of(*columns.leaves[: levels + 1], *references),
            lams,
            self.rank_tolerance,
            factor=factor,
        )
        skipped = map(add, state.skipped, kept_out)
        return columns.unflatten(direction), HierarchicalBloopState(
            tuple(map(columns.unflatten, emas)),
            columns.counter(count + 1),
            tuple(map(columns.counter, skipped)),
        )
