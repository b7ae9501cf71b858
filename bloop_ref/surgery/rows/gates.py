"""Mixed training, A-GEM, dynamic barrier and cosine gating: at most one projection or gate each.

The functions of this package take ``gram``, the inner products of the gradients over their units,
and ``units``, powers of two or 1, and return one coefficient per gradient over its unit. Index 0
is the main gradient m, the others are auxiliary ones a. They read no entry of ``gram`` but those
that their method object names in ``pairs``.
"""

from collections.abc import Sequence

from bloop_ref._scalars import ratio
from bloop_ref._typing import Rows, Scalar
from bloop_ref.surgery._algebra import cosine, minimum, over, positive_part, where


def mixed_row(
    units: Sequence[Scalar], *, lams: Sequence[Scalar], rescale: bool = False
) -> tuple[Scalar, ...]:
    """Return d = m + sum_k lam_k a_k, over 1 + sum_k lam_k if rescaled.

    Example:
        >>> mixed_row((1, 1), lams=(0.5,))
        (1, 0.5)
    """
    row = [weight * unit for weight, unit in zip((1, *lams), units, strict=True)]
    return tuple(x / (1 + sum(lams)) if rescale else x for x in row)


def a_gem_row(gram: Rows, units: Sequence[Scalar]) -> tuple[Scalar, Scalar]:
    """Return d = m - min(0, <m, a>) / ||a||^2 a.

    Example:
        >>> a_gem_row([[None, -15.0], [-15.0, 25.0]], (1, 1))
        (1, 0.6)
    """
    main, _ = units
    return (main, main * ratio(positive_part(-gram[0][1]), gram[1][1]))


def dynamic_barrier_row(
    gram: Rows,
    units: Sequence[Scalar],
    *,
    lams: Sequence[Scalar],
    beta: Scalar = 1,
    excess: Scalar | None = None,
) -> tuple[Scalar, ...]:
    """Return d = b + max(0, (psi - <m, b>) / ||m||^2) m for b = sum_k lam_k a_k.

    psi = beta ||m||^2, or min(``excess``, beta ||m||^2).

    Example:
        >>> dynamic_barrier_row([[25.0, -15.0], [-15.0, None]], (1, 1), lams=(0.5,))
        (1.3, 0.5)
    """
    main, *others = units
    mm, *ms = gram[0]
    barrier = beta * main
    if excess is not None:
        barrier = minimum(ratio(over(excess, main), mm), barrier)
    along = [lam * ratio(ma, mm) * unit for lam, ma, unit in zip(lams, ms, others, strict=True)]
    on_main = positive_part(barrier - sum(along))
    return (on_main, *(lam * unit for lam, unit in zip(lams, others, strict=True)))


def cosine_gate_row(
    gram: Rows, units: Sequence[Scalar], *, weighted: bool = True, tie: Scalar = 1
) -> tuple[Scalar, ...]:
    """Return d = m + sum_k gate_k a_k, the gate being max(0, cos(m, a_k)), or 1 or 0 by its sign.

    Example:
        >>> cosine_gate_row([[25.0, 15.0], [15.0, 25.0]], (1, 1))
        (1, 0.6)
    """
    main, *others = units

    def gate(j: int) -> Scalar:
        ma = gram[0][j]
        if weighted:
            return positive_part(cosine(ma, gram[0][0], gram[j][j]))
        closed = 0 * ma  # NaN where <m, a> is
        return where(ma > 0, 1 + closed, where(ma < 0, closed, tie + closed))

    return (main, *(gate(j) * unit for j, unit in enumerate(others, start=1)))
