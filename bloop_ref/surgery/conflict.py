"""PCGrad and GradVac: every gradient is altered by those that it conflicts with."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from fractions import Fraction
from typing import Any, ClassVar, NamedTuple

import array_api_compat

from bloop_ref._columns import quiet
from bloop_ref._scalars import check_choice, check_range, known_false
from bloop_ref._typing import Array, Rows, Scalar, Vector
from bloop_ref._vectors import Columns
from bloop_ref.surgery._method import (
    GramMethod,
    Pairs,
    all_pairs,
    check_weights,
    named,
    number,
    numbered,
    weights,
)
from bloop_ref.surgery._orders import check_orders, check_seed, orders_at
from bloop_ref.surgery.rows.conflict import grad_vac_row, pcgrad_row


class PCGradState(NamedTuple):
    """The number of steps taken, by which the order of a step is drawn."""

    count: Array


@dataclass(frozen=True)
class PCGrad(GramMethod):
    """PCGrad: d = sum_i lam_i g_i', every g_i' being g_i less its parts along those it opposes.

    g <- pi(g; g_j) for every j != i in turn with <g, g_j> < 0, g being g_i as altered so far and
    g_j as it came; lam_0 = 1. A zero g_j changes nothing. For two losses d = m + lam a, or
    pi(m; a) + lam pi(a; m) where <m, a> < 0, and both agree at 0; for lam > 0 this is PCGrad of m
    and lam a. For more the order matters; the state counts the steps.

    Args:
        lam: the weight of the auxiliary losses, >= 0: one number, or one for each.
        orders: for each gradient the numbers of the others, in the order that it meets them. Its
            own number may stand among them, as in some implementations: a projection on g_i itself.
        seed: draws new orders at each step, the same at each ``step`` with the same count; they
            come again after 1024 steps. Not used if ``orders`` are given.

    Example:
        >>> import numpy as np
        >>> pcgrad = PCGrad(orders=[[1, 2], [0, 2], [0, 1]])
        >>> g = [np.array(v) for v in ([1.0, 0.0], [0.0, 1.0], [-1.0, 0.0])]
        >>> pcgrad.step(g, pcgrad.init(g[0], losses=3))[0]
        array([0., 1.])

    Source: Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020; lam from section
    5.1 of the Bloop paper.
    """

    numbers: ClassVar[tuple[str, ...]] = ("lam",)
    state_type: ClassVar[type] = PCGradState

    lam: Scalar | Sequence[Scalar] = 1
    _: KW_ONLY
    orders: Sequence[Sequence[int]] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the options."""
        check_weights(self, "lam")
        object.__setattr__(self, "orders", check_orders(self.orders, itself=True))
        check_seed(self.seed)

    def start(self, losses: int, columns: Columns) -> PCGradState:
        """Return a count of 0."""
        return PCGradState(columns.counter(0))

    def pairs(self, losses: int) -> Pairs:
        """Return all pairs."""
        return all_pairs(losses)

    def coefficients(
        self, gram: Rows, units: Sequence[Scalar], state: PCGradState
    ) -> tuple[tuple[Scalar, ...], PCGradState]:
        """Return ``pcgrad_row``."""
        orders = orders_at(state.count, len(units), orders=self.orders, seed=self.seed)
        row = pcgrad_row(gram, units, orders=orders, lams=weights("lam", self.lam, len(units)))
        return row, PCGradState(state.count + 1)


@quiet
def pcgrad(
    g_main: Vector,
    *g_aux: Vector,
    lam: Scalar | Sequence[Scalar] = 1,
    orders: Sequence[Sequence[int]] | None = None,
    seed: int = 0,
) -> Vector:
    """Return d = m + lam a, or pi(m; a) + lam pi(a; m) where <m, a> < 0; see ``PCGrad``.

    Args, returns and raises as in ``mixed``; ``orders`` and ``seed`` as in ``PCGrad``.

    Example:
        >>> import numpy as np
        >>> pcgrad(np.array([3.0, 4.0]), np.array([-5.0, 0.0]), lam=0.5)
        array([-1.6,  5.2])

    Source: see ``PCGrad``.
    """
    return PCGrad(lam, orders=orders, seed=seed).once(named(g_main, g_aux, lam))


class GradVacState(NamedTuple):
    """What GradVac carries: the target cosine of every pair, and the number of steps taken."""

    targets: tuple[tuple[Scalar, ...], ...]
    count: Array


@dataclass(frozen=True)
class GradVac(GramMethod):
    """GradVac: d = sum_i g_i', every g_i' being g_i with its cosines lifted to targets.

    Where cos(g, g_j) < t_ij, g <- g + w g_j with the w that makes them equal,
    w = ||g|| (t sqrt(1 - c^2) - c sqrt(1 - t^2)) / (||g_j|| sqrt(1 - t^2)), for every j != i in
    turn; each time t_ij <- (1 - beta) t_ij + beta c, c the cosine before the change. Targets start
    at 0, for which this is PCGrad's projection. The cosine with a zero vector is 0; opposite
    gradients cancel; a target of 1 or -1 changes nothing.

    Args:
        beta: the weight of the *new* cosine, in [0, 1]; 0 keeps the targets of the state.
        two_sided: the sum of all altered gradients, as published; if not, the altered main gradient
            alone, to which no auxiliary gradient is added.
        orders, seed: as in ``PCGrad``.

    Example:
        >>> import numpy as np
        >>> grad_vac = GradVac(beta=0.5, two_sided=False)
        >>> g = [np.array([3.0, 4.0]), np.array([-4.0, 0.0])]
        >>> direction, state = grad_vac.step(g, grad_vac.init(g[0]))
        >>> direction, float(state.targets[0][1])
        (array([0., 4.]), -0.3)

    Source: Wang, Tsvetkov, Firat and Cao, "Gradient Vaccine", ICLR 2021. The one-sided form is
    Table 1 of the Bloop paper with the vector and the condition that are missing there.
    """

    numbers: ClassVar[tuple[str, ...]] = ("beta",)
    state_type: ClassVar[type] = GradVacState

    beta: Scalar
    _: KW_ONLY
    two_sided: bool = True
    orders: Sequence[Sequence[int]] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the options."""
        check_range("beta", self.beta, most=1)
        check_choice("two_sided", self.two_sided, (False, True))
        object.__setattr__(self, "orders", check_orders(self.orders, itself=False))
        check_seed(self.seed)

    def start(self, losses: int, columns: Columns) -> GradVacState:
        """Return targets of 0."""
        zero = 0 if columns.wide is None else columns.scalar(0)
        return GradVacState(((zero,) * losses,) * losses, columns.counter(0))

    def _losses_of(self, state: GradVacState) -> int:
        return len(state.targets)

    def pairs(self, losses: int) -> Pairs:
        """Return all pairs."""
        return all_pairs(losses)

    def coefficients(
        self, gram: Rows, units: Sequence[Scalar], state: GradVacState
    ) -> tuple[tuple[Scalar, ...], GradVacState]:
        """Return ``grad_vac_row``, and the targets moved towards the cosines that were met."""
        orders = orders_at(state.count, len(units), orders=self.orders, seed=self.seed)
        altered = orders if self.two_sided else orders[:1]
        row, cosines = grad_vac_row(gram, units, targets=state.targets, orders=altered)
        targets = [list(line) for line in state.targets]
        for i, met in enumerate(cosines):
            for j, cosine in enumerate(met):
                if i != j:
                    targets[i][j] = (1 - self.beta) * targets[i][j] + self.beta * cosine
        return row, GradVacState(tuple(map(tuple, targets)), state.count + 1)


@quiet
def grad_vac(
    *gradients: Vector,
    targets: Any,
    two_sided: bool = True,
    orders: Sequence[Sequence[int]] | None = None,
    seed: int = 0,
) -> Vector:
    """Return GradVac's direction for given target cosines; see ``GradVac``.

    Args:
        *gradients: g_main, g_aux, ..., pytrees of arrays; ``None`` is zero.
        targets: the target cosine, a number in [-1, 1], or one for every (i, j) in rows.
        two_sided: as in ``GradVac``.
        orders: as in ``PCGrad``.
        seed: as in ``PCGrad``.

    Returns and raises as in ``mixed``.

    Example:
        >>> import numpy as np
        >>> m, a = np.array([3.0, 4.0]), np.array([-5.0, 0.0])
        >>> grad_vac(m, a, targets=0.8).round(12)
        array([-5.33333333, 10.66666667])

    Source: see ``GradVac``.
    """
    columns, losses = numbered(gradients), len(gradients)
    rows = targets if isinstance(targets, list | tuple) else [[targets] * losses] * losses
    if len(rows) != losses or any(len(row) != losses for row in rows):
        raise ValueError(
            "targets must be one number or one for every pair of gradients: "
            f"required {losses} rows of {losses}, found {[len(row) for row in rows]}"
        )
    cosines = [
        [_target(f"targets[{i}][{j}]", t, columns) for j, t in enumerate(row)]
        for i, row in enumerate(rows)
    ]
    method = GradVac(0, two_sided=two_sided, orders=orders, seed=seed)
    state = method.start(losses, columns)._replace(targets=tuple(map(tuple, cosines)))
    leaves, _ = method.advance(columns, state)
    return columns.unflatten(leaves)


def _target(name: str, value: Scalar, columns: Columns) -> Scalar:
    """Check that a cosine is in [-1, 1], as far as that can be told; bring it beside vectors."""
    required = f"{name} must be a number in [-1, 1]"
    if not isinstance(value, int | float | Fraction) and not array_api_compat.is_array_api_obj(
        value
    ):
        raise TypeError(f"{required}; found {value!r}")
    if known_false(lambda: (value >= -1) & (value <= 1)):
        raise ValueError(f"{required}; found {value}")
    return number(value, columns)
