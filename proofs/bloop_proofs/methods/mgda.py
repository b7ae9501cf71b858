"""MGDA: the point of least norm of the convex hull of the gradients."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import law, require
from bloop_proofs.laws import relations
from bloop_proofs.laws.measure import bound, found, require_close
from bloop_proofs.mistakes.mistake import listed
from bloop_proofs.rows import norms, vectors
from bloop_proofs.signature import Signature
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject
from bloop_proofs.tolerances import frank_wolfe_bound, norm, row_rounding
from bloop_proofs.truths.hulls import least_norm_weights, of_inner_products
from bloop_proofs.truths.products import Options, Products, by, size_of


def segment(g: Any) -> float:
    """Return the weight of m for the point of least norm of a line through m and a."""
    m, a = g
    square = float((m - a) @ (m - a))
    return float((a - m) @ a) / square if square else 0.5


def least_norm_point(gradients: np.ndarray) -> np.ndarray:
    """Return the point of least norm of a hull, by SciPy.

    Over w >= 0 the least of ||sum w_k g_k||^2 + s^2 (sum w_k - 1)^2 lies, for every s, on the ray
    of the weights sought: for a given sum of weights their ratios do not depend on s.
    """
    from scipy.optimize import nnls

    if not np.all(np.isfinite(gradients)):
        return np.full(gradients.shape[1], np.nan)
    scale = float(norms(gradients).max()) or 1.0
    matrix = np.vstack([gradients.T, np.full(len(gradients), scale)])
    weights, _ = nnls(matrix, np.append(np.zeros(gradients.shape[1]), scale))
    return np.asarray(weights @ gradients / weights.sum())


def mgda(g: np.ndarray) -> np.ndarray:
    """Return the point of least norm of a hull."""
    if len(g) > 2:
        return least_norm_point(g)
    w = float(np.clip(segment(g), 0, 1))
    return np.asarray(w * g[0] + (1 - w) * g[1])


class LeastNorm(Products):
    """The judge: exact for the inner products given; a search of more gradients may stop early."""

    def row(self, options: Sequence[Options], products: Sequence[Any]) -> np.ndarray:
        """Return the weights of the point of least norm, by the conditions on every face."""
        return of_inner_products(products[-1])

    def __call__(
        self, options: Sequence[Options], steps: np.ndarray, u: float
    ) -> tuple[np.ndarray, float]:
        """Return the direction and a bound."""
        last = steps[-1]
        if len(last) == 2:
            return super().__call__(options, steps, u)
        row = least_norm_weights(last)
        diameter = max(norm(x - y) for x in last for y in last)
        rounding = row_rounding(u, len(row), size_of(row, last))
        return row @ last, frank_wolfe_bound(diameter) + rounding


SIGNATURE = Signature(
    "mgda",
    "d is the point of least norm of the convex hull of the gradients; for two, "
    "d = w m + (1 - w) a with w = <a - m, a> / ||m - a||^2 held in [0, 1].",
    "Sener and Koltun 2018",
    by(LeastNorm(mgda)),
)


@law(equation="common descent", inputs=inputs(SIGNATURE))
def every_loss_falls_by_the_square_of_d(subject: Subject, case: Case) -> None:
    """<d, m> >= ||d||^2 and <d, a> >= ||d||^2: d lowers both losses, or is 0."""
    d, room = found(subject, case), bound(subject, case)
    for name, g in zip(("m", "a"), vectors(case), strict=True):
        least = -room * (norm(g) + 2 * norm(d) + room)
        gap = float(d @ (g - d))
        require(
            gap >= least, f"<d, {name}> - ||d||^2 must be at least {least:.3g}; found {gap:.6g}"
        )


@law(equation="least norm", inputs=inputs(SIGNATURE, losses=(2, 3)), may_refuse=relations.MORE)
def no_point_of_the_hull_is_shorter(subject: Subject, case: Case) -> None:
    """d is the point of least norm that SciPy finds by non-negative least squares.

    For more than two gradients up to the error of a hundred steps of Frank and Wolfe.
    """
    required = least_norm_point(vectors(case))
    require_close("direction", found(subject, case), required, 2 * bound(subject, case))


RELATIONS = (
    *relations.of_products(SIGNATURE),
    relations.symmetric(SIGNATURE),
    relations.zeros(SIGNATURE, "d = 0 where a gradient is 0."),
    relations.antiparallel(SIGNATURE, "d = 0 for a = -s m."),
)


def _between(g: Any, w: float) -> Any:
    """Return w m + (1 - w) a, and the right direction for more gradients."""
    return w * g[0] + (1 - w) * g[1] if len(g) == 2 else mgda(g)


FORMULAS = listed(
    SIGNATURE,
    mgda,
    """
at w = <a - m, a> / ||m - a||^2, held in [0, 1]
weight-has-the-opposite-sign: The weight of m is <m - a, a> / ||m - a||^2, as printed in Table 1.
    d = _between(g, -segment(g) if any(m != a) else 0.5)
    -> The numerator is <a - m, a>; Table 1 of the Bloop paper errs.
weight-is-not-clipped: d is the point of least norm of the whole line.
    d = _between(g, segment(g))
    -> Hold the weight in [0, 1]: d lies between m and a.
ends-have-the-weight-0-999: At an end of the segment the other gradient keeps the weight 0.001.
    d = _between(g, min(max(segment(g), 0.001), 0.999))
    -> At an end of the segment the weights are 1 and 0.
weights-are-exchanged: m has the weight of a, and a that of m.
    d = _between(g, 1 - min(max(segment(g), 0), 1))
    -> w is the weight of m: it grows with ||a||.
weight-is-clipped-above-only: The weight may be negative.
    d = _between(g, min(segment(g), 1))
    -> Clip on both sides, below 0 too.
weight-is-clipped-below-only: The weight may be above 1.
    d = _between(g, max(segment(g), 0))
    -> Clip on both sides, above 1 too.
weight-is-the-share-of-the-norm
    The weight of m is ||a||^2 / (||m||^2 + ||a||^2), right for orthogonal gradients.
    d = _between(g, <a, a> / (<m, m> + <a, a>) if g[:2].any() else 0.5)
    -> Take the inner product with the difference, <a - m, a>.
at d = sum_k w_k g_k
gradients-are-normalised-first: The hull is that of the gradients over their norms.
    g = units(g)
    -> Combine the gradients as they are, or say that you normalise.
weights-sum-to-their-number: The direction is K times the point of least norm.
    d = K d
    -> The weights sum to 1: do not multiply them by their number.
direction-is-normalised
    d = d / ||d||
    -> Return the point itself, of whatever length.
more-gradients-than-two-are-averaged: Two gradients are right, more get the same weight each.
    d = d if K == 2 else g_0
    -> Return the vector of the hull for more than two gradients too.
at w = <a - m, a> / ||m - a||^2, held in [0, 1]
epsilon-beside-the-difference: The weight is <a - m, a> / (||m - a||^2 + 1e-8), clipped.
    d = _between(g, min(max(inner(a - m, a) / (inner(m - a, m - a) + {1e-8}), 0), 1))
    -> Add nothing to ||m - a||^2; equal gradients give themselves.
    """,
    _between=_between,
    segment=segment,
)
