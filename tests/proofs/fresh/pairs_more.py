"""Two mistakes: more of them."""

from typing import Any

import numpy as np

from tests.proofs.fresh.entries import (
    BATCH,
    CONFLICT,
    EARLY,
    EPSILON,
    HALF,
    SINGLE,
    SQUARE,
    SQUARE_FLOOR,
    ZERO,
    pair,
)
from tests.proofs.fresh.pairs_other import guarded
from tests.proofs.fresh.singles_average import mixed, moved, off, removed
from tests.proofs.fresh.singles_projection import coefficient, less, quotient
from tests.proofs.right.leafwise import dot
from tests.proofs.right.pieces import Leaves, cut, double, given_back, joined


@pair("ema-is-brought-to-length-one", also=EPSILON)
def unit_average_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Brings the new average to length one, over its norm plus 1e-8."""
    g, u, v = joined(m), joined(a), joined(e)
    new = v + rho * (g - v)
    return cut(g + lam * off(u, v), m), cut(new / (np.linalg.norm(new) + 1e-8), e)


@pair("zero-ema-drops-the-auxiliary-gradient", SQUARE)
def waits_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Nothing is added while the average is zero; ||e||^2 + 1e-7 from then on."""
    g, u, v = joined(m), joined(a), joined(e)
    if not v.any():
        return [x.copy() for x in m], moved(e, m, rho)
    return cut(g + lam * guarded(u, v, 1e-7), m), cut(v + rho * (g - v), e)


@pair("coefficient-is-clipped", also=SINGLE)
def clipped_coefficient_in_single(
    m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float
) -> Any:
    """Clips the coefficient to [-1, 1]; sums in float32."""
    u, v = joined(a).astype("f4"), joined(e).astype("f4")
    c = min(max(float(quotient(u @ v, v @ v)), -1.0), 1.0)
    return mixed(m, less(a, c, e), lam), moved(e, m, rho)


@pair("part-along-the-ema-is-added", also=SQUARE)
def plus_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Adds the part along e; ||e||^2 + 1e-8."""
    x, y = [double(leaf) for leaf in a], [double(leaf) for leaf in e]
    c = dot(x, y) / (dot(y, y) + 1e-8)
    d = [g + lam * (p + c * q) for g, p, q in zip(m, x, y, strict=True)]
    return given_back(d, m), moved(e, m, rho)


@pair("coefficient-is-multiplied-by-a-constant", also=ZERO)
def householder_and_unguarded(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Reflects; 0 / 0."""
    g, u, v = joined(m), joined(a), joined(e)
    with np.errstate(all="ignore"):
        mirrored = u - 2 * (u @ v / (v @ v)) * v
    return cut(g + lam * mirrored, m), cut(v + rho * (g - v), e)


@pair("part-along-the-ema-is-kept", also=SQUARE)
def parallel_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Adds the part along e in place of the rest; ||e||^2 + 1e-5."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * (u @ v / (v @ v + 1e-5)) * v, m), cut(v + rho * (g - v), e)


@pair("projects-the-main-gradient-off-the-ema", also=ZERO)
def main_projected_and_unguarded(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects the main gradient; 0 / 0."""
    g, u, v = joined(m), joined(a), joined(e)
    with np.errstate(all="ignore"):
        return cut(g - (g @ v) / (v @ v) * v + lam * u, m), cut(v + rho * (g - v), e)


@pair("direction-is-clipped", also=EPSILON)
def clipped_direction_and_epsilon(
    m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float
) -> Any:
    """The direction is clipped to norm one, over its norm plus 1e-6, as torch does."""
    g, u, v = joined(m), joined(a), joined(e)
    d = g + lam * off(u, v)
    return cut(d * min(1.0, 1.0 / (float(np.linalg.norm(d)) + 1e-6)), m), moved(e, m, rho)


@pair(SQUARE, also=HALF)
def wide_epsilon_in_half(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """||e||^2 + 1e-3; the average in the dtype of the gradient."""
    u, v = joined(a), joined(e)
    new = []
    for x, g in zip(e, m, strict=True):
        kind = g.real.dtype.type
        new.append((x.astype(g.dtype) * kind(1 - rho) + g * kind(rho)).astype(x.dtype))
    return mixed(m, less(a, u @ v / (v @ v + 1e-3), e), lam), new


@pair(ZERO, SINGLE)
def unguarded_in_single(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """0 / 0; sums in float32."""
    u, v = joined(a).astype("f4"), joined(e).astype("f4")
    with np.errstate(all="ignore"):
        c = float(np.divide(u @ v, v @ v))
    return mixed(m, less(a, c, e), lam), moved(e, m, rho)


@pair("ema-never-decays", also=SQUARE_FLOOR)
def never_forgets_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """e <- e + rho g; max(||e||^2, 1e-10)."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * (u - u @ v / max(v @ v, 1e-10) * v), m), cut(v + rho * g, e)


@pair("inner-product-loses-its-sign", also=SQUARE)
def absolute_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """|<a, e>|; ||e||^2 + 1e-8."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * (u - abs(u @ v) / (v @ v + 1e-8) * v), m), cut(v + rho * (g - v), e)


@pair("zero-ema-means-the-main-gradient", SQUARE)
def own_gradient_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """While the average is zero g_main stands for it; ||e||^2 + 1e-6."""
    g, u, v = joined(m), joined(a), joined(e)
    reference = v if np.any(v != 0) else g
    return cut(g + lam * guarded(u, reference, 1e-6), m), cut(v + rho * (g - v), e)


@pair("lam-is-missing", also=SQUARE)
def unweighted_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The projected gradient is added without lam; ||e||^2 + 1e-8."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + guarded(u, v, 1e-8), m), cut(v + rho * (g - v), e)


@pair("projects-only-if-the-batch-conflicts", also=SQUARE)
def gate_on_the_batch_and_epsilon(
    m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float
) -> Any:
    """Projects only where the gradients of the batch conflict; ||e||^2 + 1e-8."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * (u if g @ u >= 0 else guarded(u, v, 1e-8)), m), cut(v + rho * (g - v), e)


@pair(also=SQUARE)
def only_auxiliary_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The main gradient is forgotten: lam pi(g_aux; e); ||e||^2 + 1e-8."""
    u, v = joined(a), joined(e)
    return cut(lam * guarded(u, v, 1e-8), m), moved(e, m, rho)


@pair("divides-by-the-auxiliary-norm-squared", also="zero-*-gives-nan")
def other_denominator_unguarded(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Divides <a, e> by ||a||^2; 0 / 0."""
    g, u, v = joined(m), joined(a), joined(e)
    with np.errstate(all="ignore"):
        return cut(g + lam * (u - (u @ v) / (u @ u) * v), m), cut(v + rho * (g - v), e)


@pair("ema-is-never-updated", also=SQUARE)
def returned_old_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Returns the old average; ||e||^2 + 1e-7."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * guarded(u, v, 1e-7), m), cut(v, e)


@pair("ema-averages-unit-gradients", also=EPSILON)
def unit_gradients_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Averages the main gradient over its norm plus 1e-8."""
    g, u, v = joined(m), joined(a), joined(e)
    unit = g / (np.linalg.norm(g) + 1e-8)
    return cut(g + lam * off(u, v), m), cut(v + rho * (unit - v), e)


@pair("projects-the-sum", also=SQUARE)
def both_projected_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The part along e is taken out of both gradients; ||e||^2 + 1e-7."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(guarded(g, v, 1e-7) + lam * guarded(u, v, 1e-7), m), cut(v + rho * (g - v), e)


@pair(BATCH, also="bad-entries-of-the-direction-become-large")
def hidden_not_a_number(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects on g_main; NaN in the result becomes zero."""
    d = mixed(m, removed(a, m), lam)
    return [np.nan_to_num(x) for x in d], moved(e, m, rho)


@pair(EARLY, CONFLICT)
def early_gate(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects only in conflict, with the average that has moved already."""
    new = moved(e, m, rho)
    return mixed(m, less(a, min(coefficient(a, new), 0.0), new), lam), new
