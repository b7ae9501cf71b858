"""MetaBalance, and the part of SAM-GS that norms decide."""

from collections.abc import Sequence
from functools import reduce
from itertools import combinations
from operator import add

from bloop_ref._scalars import ratio
from bloop_ref._typing import Rows, Scalar
from bloop_ref.surgery._algebra import relative, root, where


def norms_of(gram: Rows, units: Sequence[Scalar]) -> list[Scalar]:
    """Return the norms of the gradients.

    Example:
        >>> norms_of([[25.0, None], [None, 4.0]], (1, 2.0))
        [5.0, 4.0]
    """
    return [root(gram[k][k]) * unit for k, unit in enumerate(units)]


def meta_balance_row(
    units: Sequence[Scalar], *, norms: Sequence[Scalar], relaxation: Scalar
) -> tuple[Scalar, ...]:
    """Return d = m + sum_k (r n_0 / n_k + 1 - r) a_k for relaxation r and averages n of norms.

    Example:
        >>> meta_balance_row((1, 1), norms=(5.0, 10.0), relaxation=0.5)
        (1, 0.75)
    """
    main, *others = units
    target, *sizes = norms
    return (
        main,
        *(
            relaxation * (target * ratio(unit, size)) + (1 - relaxation) * unit
            for unit, size in zip(others, sizes, strict=True)
        ),
    )


def magnitude_similarity(gram: Rows, units: Sequence[Scalar]) -> Scalar:
    """Return Psi, the mean over pairs i < j of 2 n_i n_j / (n_i^2 + n_j^2), n the norms.

    1 for two gradients that are zero, and for a single gradient.

    Example:
        >>> magnitude_similarity([[25.0, None], [None, 100.0]], (1, 1))
        0.8
    """
    squares = [(gram[k][k], unit) for k, unit in enumerate(units)]
    pairs = [_similarity(x, y) for x, y in combinations(squares, 2)]
    return reduce(add, pairs) / len(pairs) if pairs else 1 + 0 * gram[0][0]


def _similarity(x: tuple[Scalar, Scalar], y: tuple[Scalar, Scalar]) -> Scalar:
    """Return 2 ||x|| ||y|| / (||x||^2 + ||y||^2), 1 where both are 0, of squares with units."""
    squares, units = zip(x, y, strict=True)
    xx, yy = (square * unit * unit for square, unit in zip(squares, relative(units), strict=True))
    return where(xx + yy == 0, 1 + 0 * xx, ratio(2 * root(xx * yy), xx + yy))


def equalised_row(gram: Rows, units: Sequence[Scalar]) -> tuple[Scalar, ...]:
    """Return d = n sum_k g_k / ||g_k||, n the mean norm; a zero gradient adds nothing to the sum.

    Example:
        >>> equalised_row([[25.0, None], [None, 100.0]], (1, 1))
        (1.5, 0.75)
    """
    mean = reduce(add, (norm / len(units) for norm in norms_of(gram, units)))
    return tuple(mean * ratio(1, root(gram[k][k])) for k in range(len(units)))
