"""PCGrad and GradVac: each gradient in turn is altered against every other.

A gradient under way is measured in its own unit, so that neither its scale nor that of the others
matters before the end. ``orders[i]`` are the numbers, possibly traced, of those that gradient i
meets, in that order.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from bloop_ref._scalars import ratio
from bloop_ref._typing import Rows, Scalar
from bloop_ref.surgery._algebra import add_at, cosine, dot, pick, positive_part, root, where

Orders: TypeAlias = Sequence[Sequence[Any]]

Meeting: TypeAlias = Callable[[int, Any, list[Scalar]], Scalar]
"""From i, j and gradient i under way to the multiple of gradient j that it takes up."""


def _altered(gram: Rows, i: int, order: Sequence[Any], meeting: Meeting) -> list[Scalar]:
    """Return gradient i after all meetings, over the gradients."""
    own: list[Scalar] = [int(k == i) for k in range(len(gram))]
    for j in order:
        own = add_at(own, j, meeting(i, j, own))
    return own


def _total(parts: Sequence[Sequence[Scalar]], weights: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """Return the weighted sum of gradients over the gradients."""
    return tuple(
        sum((w * x for w, x in zip(weights, column, strict=True)))
        for column in zip(*parts, strict=True)
    )


def pcgrad_row(
    gram: Rows, units: Sequence[Scalar], *, orders: Orders, lams: Sequence[Scalar]
) -> tuple[Scalar, ...]:
    """Return d = sum_i lam_i g_i', lam_0 = 1, where g_i' comes of g_i by projections.

    In the order given, g <- pi(g; g_j) for every j with <g, g_j> < 0.

    Example:
        >>> pcgrad_row([[25.0, -15.0], [-15.0, 25.0]], (1, 1), orders=[[1], [0]], lams=(0.5,))
        (1.3, 1.1)
    """
    diagonal = [gram[k][k] for k in range(len(gram))]

    def meeting(i: int, j: Any, own: list[Scalar]) -> Scalar:
        along = dot(own, [pick(line, j) for line in gram])
        return ratio(positive_part(-along), pick(diagonal, j))

    parts = [_altered(gram, i, order, meeting) for i, order in enumerate(orders)]
    return _total(parts, [lam * unit for lam, unit in zip((1, *lams), units, strict=True)])


def grad_vac_row(
    gram: Rows, units: Sequence[Scalar], *, targets: Rows, orders: Orders
) -> tuple[tuple[Scalar, ...], list[list[Scalar]]]:
    """Return d = sum_i g_i' and the cosines that were met; g_i' comes of g_i by lifting cosines.

    In the order given, where cos(g, g_j) < t_ij, g <- g + w g_j with the w > 0 for which it is
    t_ij. There are as many parts as ``orders`` has rows: all, or the main one alone.

    Example:
        >>> gram = [[25.0, -15.0], [-15.0, 25.0]]
        >>> row, cosines = grad_vac_row(gram, (1, 1), targets=[[0, 0.8]] * 2, orders=[[1]])
        >>> row, cosines
        ((1, 1.666666666666667), [[0, -0.6]])
    """
    diagonal = [gram[k][k] for k in range(len(gram))]
    cosines: list[list[Scalar]] = [[0] * len(gram) for _ in orders]

    def meeting(i: int, j: Any, own: list[Scalar]) -> Scalar:
        along = dot(own, [pick(line, j) for line in gram])
        square = positive_part(dot(own, [dot(own, line) for line in gram]))
        other = pick(diagonal, j)
        cosines[i] = add_at(cosines[i], j, cosine(along, square, other))
        return _lift(along, square, other, pick(targets[i], j))

    parts = [_altered(gram, i, order, meeting) for i, order in enumerate(orders)]
    return _total(parts, units[: len(parts)]), cosines


def _lift(xy: Scalar, xx: Scalar, yy: Scalar, target: Scalar) -> Scalar:
    """Return the w >= 0 of the smallest x + w y whose cosine with y is at least the target.

    w = (cot ||x|| ||y|| sin(x, y) - <x, y>) / ||y||^2, cot = target / sqrt(1 - target^2), which is
    positive exactly where cos(x, y) < target. A target of 1 or -1 is never met or always.
    """
    slack = 1 - target * target
    cotangent = ratio(target, root(positive_part(slack)))
    area = root(positive_part(xx * yy - xy * xy))
    lift = ratio(positive_part(cotangent * area - xy), yy)
    return where(slack > 0, lift, 0 * lift)
