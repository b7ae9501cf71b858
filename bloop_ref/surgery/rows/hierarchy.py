"""Hierarchical Bloop from inner products alone: fast, where references are not nearly dependent."""

from collections.abc import Sequence

from bloop_ref._scalars import ratio
from bloop_ref._typing import Rows, Scalar
from bloop_ref.surgery._algebra import where


def hierarchy_pairs(levels: int) -> tuple[tuple[int, int], ...]:
    """Return the inner products that ``hierarchy_row`` reads, the references after the gradients.

    Example:
        >>> hierarchy_pairs(1)
        ((2, 2), (1, 2))
    """
    first = levels + 1
    among = [(first + i, first + j) for j in range(levels) for i in range(j + 1)]
    across = [(k, first + j) for k in range(1, first) for j in range(k)]
    return (*among, *across)


def hierarchy_row(
    gram: Rows, units: Sequence[Scalar], *, lams: Sequence[Scalar], rank_tolerance: Scalar
) -> tuple[Scalar, ...]:
    """Return d = g_0 + sum_k lam_k pi(g_k; span(r_0, ..., r_{k-1})) over (g_0..g_L, r_0..r_{L-1}).

    A reference that has no more than ``rank_tolerance`` of its norm outside the span of those
    before it adds nothing. From inner products an angle is known to the root of their precision
    only, where ``hierarchical_direction``, which projects vectors, knows it to their precision: so
    a sensible tolerance is the root of that one's.

    Example:
        >>> gram = [[None] * 3, [None, None, -15.0], [None, -15.0, 25.0]]
        >>> hierarchy_row(gram, (1, 1, 1), lams=(0.5,), rank_tolerance=0)
        (1, 0.5, 0.3)
    """
    levels = len(lams)
    first = levels + 1
    factor, squares = _orthogonalised([line[first:] for line in gram[first:]], rank_tolerance)
    taken_out: list[Scalar] = [0] * levels
    for k, lam in enumerate(lams, start=1):
        weights = _projected(gram[k][first : first + k], factor, squares)
        for j, weight in enumerate(weights):
            taken_out[j] = taken_out[j] - lam * units[k] * weight
    own = [lam * unit for lam, unit in zip((1, *lams), units[:first], strict=True)]
    return (*own, *taken_out)


def _orthogonalised(gram: Rows, tolerance: Scalar) -> tuple[list[list[Scalar]], list[Scalar]]:
    """Return L and D of gram = L D L^T: r_j = q_j + sum_i L[j][i] q_i, D[j] = ||q_j||^2.

    The q are orthogonal; one that is too small for the tolerance is 0.
    """
    factor: list[list[Scalar]] = []
    squares: list[Scalar] = []
    for j, line in enumerate(gram):
        along = _along(line[:j], factor)
        factor.append([ratio(x, d) for x, d in zip(along, squares, strict=True)])
        left = line[j] - sum(x * weight for x, weight in zip(along, factor[j], strict=True))
        # NaN compares false, and so is kept and seen
        squares.append(where(left <= tolerance * tolerance * line[j], 0 * line[j], left))
    return factor, squares


def _along(products: Sequence[Scalar], factor: Rows) -> list[Scalar]:
    """Return <v, q_j> from <v, r_j>."""
    found: list[Scalar] = []
    for product, line in zip(products, factor, strict=False):
        found.append(product - sum(weight * x for weight, x in zip(line, found, strict=True)))
    return found


def _projected(products: Sequence[Scalar], factor: Rows, squares: Sequence[Scalar]) -> list[Scalar]:
    """Return the weights of r_0, r_1, ... in the part of v that lies in their span."""
    weights = [ratio(x, d) for x, d in zip(_along(products, factor), squares, strict=False)]
    for j in reversed(range(len(weights))):
        # q_j = r_j - sum_i L[j][i] q_i
        for i in range(j):
            weights[i] = weights[i] - factor[j][i] * weights[j]
    return weights
