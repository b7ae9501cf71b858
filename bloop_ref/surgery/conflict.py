"""PCGrad and GradVac: every gradient is altered by those that it meets, in some order."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from fractions import Fraction
from typing import Any, ClassVar

from bloop_ref.aliases import Scalar, Schedule
from bloop_ref.gramian import Gramian
from bloop_ref.scalars import (
    add_at,
    check_choice,
    check_number,
    cosine,
    dot,
    pick,
    positive_part,
    ratio,
    root,
    where,
)
from bloop_ref.surgery.orders import Ordered, total


@dataclass(frozen=True)
class PCGrad(Ordered):
    """PCGrad: d = sum_i lam_i g_i', every g_i' being g_i less its parts along those it opposes.

    g <- pi(g; g_j) for every j != i in turn with <g, g_j> < 0, g being g_i as altered so far and
    g_j as it came; lam_0 = 1. A zero g_j changes nothing. For two losses d = m + lam a, or
    pi(m; a) + lam pi(a; m) where <m, a> < 0, and both agree at 0; for lam > 0 this is PCGrad of m
    and lam a. For more the order matters.

    Args:
        lam: the weight of the auxiliary losses, as in ``Mixed``.
        orders: for each gradient the numbers of the others, in the order that it meets them. Its
            own number may stand among them, as in some implementations: a projection on g_i itself.
        seed: draws new orders at each step, the same at each ``step`` with the same count; they
            come again after 1024 steps. Not used if ``orders`` are given.

    Example:
        >>> import numpy as np
        >>> pcgrad = PCGrad(orders=[[1, 2], [0, 2], [0, 1]])
        >>> pcgrad(*(np.array(v) for v in ([1.0, 0.0], [0.0, 1.0], [-1.0, 0.0])))
        array([0., 1.])

    Source: Yu et al., "Gradient Surgery for Multi-Task Learning", NeurIPS 2020; lam from section
    5.1 of the Bloop paper.
    """

    numbers: ClassVar[Mapping[str, float | None]] = {"lam": None}

    may_meet_itself = True

    lam: Schedule | Sequence[Schedule] = 1

    def weights(self, gram: Gramian, scalars: Any, **given: Scalar) -> tuple[Any, Any]:
        """Return the sum of the altered gradients over the gradients."""
        size, rows = gram.size, gram.rows()
        squares = [gram[k, k] for k in range(size)]

        def meeting(i: int, j: Any, own: list[Scalar]) -> Scalar:
            along = dot(own, [pick(line, j) for line in rows])
            return ratio(positive_part(-along), pick(squares, j))

        lams = self.auxiliary_weights(size)
        return total(self.altered(size, size, meeting), (1, *lams)), scalars


@dataclass(frozen=True)
class GradVac(Ordered):
    """GradVac: d = sum_i g_i', every g_i' being g_i with its cosines lifted to targets.

    Where cos(g, g_j) < t_ij, g <- g + w g_j with the w that makes them equal,
    w = ||g|| (t sqrt(1 - c^2) - c sqrt(1 - t^2)) / (||g_j|| sqrt(1 - t^2)), for every j != i in
    turn; each time t_ij <- (1 - beta) t_ij + beta c, c the cosine before the change. Targets start
    at ``target``: at 0 this is PCGrad's projection. The cosine with a zero vector is 0; opposite
    gradients cancel; a target of 1 or -1 changes nothing. The state's ``scalars`` are the t_ij.

    Args:
        beta: the weight of the *new* cosine, in [0, 1]; 0 keeps the targets of the state.
        target: the targets before the first step: one number in [-1, 1], or rows of them.
        two_sided: the sum of all altered gradients, as published; if not, the altered main gradient
            alone, to which no auxiliary gradient is added.
        orders, seed: as in ``PCGrad``.

    Example:
        >>> import numpy as np
        >>> grad_vac = GradVac(beta=0.5, two_sided=False)
        >>> g = [np.array([3.0, 4.0]), np.array([-4.0, 0.0])]
        >>> direction, state = grad_vac.step(g, grad_vac.init(g[0]))
        >>> direction, float(state.scalars[0][1])
        (array([0., 4.]), -0.3)

    Source: Wang, Tsvetkov, Firat and Cao, "Gradient Vaccine", ICLR 2021. The one-sided form is
    Table 1 of the Bloop paper with the vector and the condition that are missing there.
    """

    numbers: ClassVar[Mapping[str, float | None]] = {"beta": 1}

    beta: Schedule
    _: KW_ONLY
    target: Any = 0
    two_sided: bool = True

    def __post_init__(self) -> None:
        """Check the options."""
        super().__post_init__()
        check_choice("two_sided", self.two_sided, (False, True))
        if isinstance(self.target, list | tuple):
            object.__setattr__(self, "target", tuple(map(tuple, self.target)))
        for i, row in enumerate(self._targets(1)):
            for j, target in enumerate(row):
                name = f"target[{i}][{j}]" if isinstance(self.target, tuple) else "target"
                check_number(name, target, "must be a number in [-1, 1]")
                if not -1 <= target <= 1:
                    raise ValueError(f"{name} must be a number in [-1, 1]; found {target}")

    def _targets(self, losses: int) -> Sequence[Sequence[Any]]:
        return self.target if isinstance(self.target, tuple) else [[self.target] * losses] * losses

    def start(self, losses: int) -> tuple[tuple[Fraction, ...], ...]:
        """Return the targets before the first step."""
        rows = self._targets(losses)
        if [len(row) for row in rows] != [losses] * losses:
            raise ValueError(
                "target must be one number or one for every pair of gradients: "
                f"required {losses} rows of {losses}, found {[len(row) for row in rows]}"
            )
        return tuple(tuple(map(Fraction, row)) for row in rows)

    def weights(self, gram: Gramian, scalars: Any, **given: Scalar) -> tuple[Any, Any]:
        """Return the sum of the altered gradients, and the targets moved towards the cosines."""
        size, rows = gram.size, gram.rows()
        squares = [gram[k, k] for k in range(size)]
        targets = [list(line) for line in scalars]
        met: list[list[Scalar]] = [[0] * size for _ in range(size)]

        def meeting(i: int, j: Any, own: list[Scalar]) -> Scalar:
            along = dot(own, [pick(line, j) for line in rows])
            square = positive_part(dot(own, [dot(own, line) for line in rows]))
            other = pick(squares, j)
            met[i] = add_at(met[i], j, cosine(along, square, other))
            return _lift(along, square, other, pick(scalars[i], j))

        sides = size if self.two_sided else 1
        parts = self.altered(size, sides, meeting)
        for i in range(sides):
            for j in (k for k in range(size) if k != i):
                targets[i][j] = (1 - self.beta) * targets[i][j] + self.beta * met[i][j]
        return total(parts, (1,) * sides), tuple(map(tuple, targets))


def _lift(xy: Scalar, xx: Scalar, yy: Scalar, target: Scalar) -> Scalar:
    """Return the w >= 0 of the smallest x + w y whose cosine with y is at least the target.

    w = ||x|| (cot sin - cos) / ||y|| with cot = target / sqrt(1 - target^2), which is positive
    exactly where cos(x, y) < target. A target of 1 or -1 is never met or always.
    """
    slack = 1 - target * target
    cotangent = ratio(target, root(positive_part(slack)))
    along = cosine(xy, xx, yy)
    sine = root(positive_part(1 - along * along))
    # <x, y> as it came, not by its cosine: with a target of 0 this is PCGrad's projection exactly
    lift = positive_part(cotangent * ratio(root(xx) * sine, root(yy)) - ratio(xy, yy))
    return where(slack > 0, lift, 0 * lift)
