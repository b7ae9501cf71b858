"""Two mistakes: one in the equations, and an epsilon, a dtype, a guard."""

from typing import Any

import numpy as np

from tests.proofs.fresh.entries import (
    BATCH,
    CONFLICT,
    CONVEX,
    EARLY,
    EPSILON,
    EXCHANGED,
    HALF,
    NORM_FLOOR,
    REAL,
    RESCALED,
    SINGLE,
    SQUARE,
    SWAPPED,
    ZERO,
    pair,
)
from tests.proofs.fresh.singles_average import mixed, moved, off, removed
from tests.proofs.fresh.singles_projection import coefficient, less, quotient
from tests.proofs.right.leafwise import dot
from tests.proofs.right.pieces import Leaves, cut, double, given_back, joined


def guarded(u: np.ndarray, v: np.ndarray, eps: float) -> np.ndarray:
    """The part orthogonal to v, with an epsilon beside the square."""
    return u - np.dot(u, v) / (np.dot(v, v) + eps) * v


@pair(CONFLICT, also=SQUARE)
def conflict_and_1e_10(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects only in conflict; ||e||^2 + 1e-10."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * (guarded(u, v, 1e-10) if u @ v < 0 else u), m), cut(v + rho * (g - v), e)


@pair(CONFLICT, RESCALED)
def conflict_and_rescaled(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects only in conflict; over 1 + lam."""
    part = less(a, min(coefficient(a, e), 0.0), e)
    d = [(double(g) + lam * p) / (1 + lam) for g, p in zip(m, part, strict=True)]
    return given_back(d, m), moved(e, m, rho)


@pair(RESCALED, also=ZERO)
def rescaled_and_unguarded(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Over 1 + lam; 0 / 0."""
    g, u, v = joined(m), joined(a), joined(e)
    with np.errstate(all="ignore"):
        n = v / np.linalg.norm(v)
    return cut((g + lam * (u - (n @ u) * n)) / (1 + lam), m), cut(v + rho * (g - v), e)


@pair(RESCALED, also=REAL)
def rescaled_and_real_parts(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Over 1 + lam; inner products of real parts."""
    x, y = ([double(leaf).real for leaf in v] for v in (a, e))
    part = less(a, quotient(dot(x, y), dot(y, y)), e)
    d = [double(g) / (1 + lam) + lam / (1 + lam) * p for g, p in zip(m, part, strict=True)]
    return given_back(d, m), moved(e, m, rho)


@pair("ema-averages-the-auxiliary-gradient", also=SQUARE)
def averages_the_other_and_epsilon(
    m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float
) -> Any:
    """Averages the auxiliary gradient; ||e||^2 + 1e-9."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * guarded(u, v, 1e-9), m), cut(v + rho * (u - v), e)


@pair("ema-averages-the-auxiliary-gradient", EARLY)
def averages_the_other_first(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Averages the auxiliary gradient, before the projection."""
    new = moved(e, a, rho)
    return mixed(m, removed(a, new), lam), new


@pair("projects-the-main-gradient-off-the-ema", also=SQUARE)
def roles_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects the main gradient, g_aux stays whole; ||e||^2 + 1e-7."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(guarded(g, v, 1e-7) + lam * u, m), cut(v + rho * (g - v), e)


@pair(
    EXCHANGED,
    also=(HALF, "lam-weighs-the-main-gradient", "projects-the-main-gradient-off-the-ema"),
    like="projects-the-main-gradient-off-the-ema",
)
def exchanged_in_half(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """g_aux + lam pi(g_main; e); the average in the dtype of the gradient."""
    d = [double(x) + lam * p for x, p in zip(a, removed(m, e), strict=True)]
    new = []
    for x, g in zip(e, m, strict=True):
        kind = g.real.dtype.type
        new.append((x.astype(g.dtype) * kind(1 - rho) + g * kind(rho)).astype(x.dtype))
    return given_back(d, m), new


@pair(EXCHANGED, also=(SQUARE, "ema-averages-the-auxiliary-gradient"))
def all_roles_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The two losses are exchanged throughout, the average included; ||e||^2 + 1e-8."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(u + lam * guarded(g, v, 1e-8), m), cut(v + rho * (u - v), e)


@pair(SWAPPED, also=NORM_FLOOR)
def beta_and_a_clamp(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Takes rho for the decay; max(||e||, 1e-5)."""
    g, u, v = joined(m), joined(a), joined(e)
    n = v / max(float(np.linalg.norm(v)), 1e-5)
    return cut(g + lam * (u - (n @ u) * n), m), cut(rho * v + (1 - rho) * g, e)


@pair("ema-has-no-dampening", also=SQUARE)
def heavy_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Momentum without dampening; ||e||^2 + 1e-6."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * guarded(u, v, 1e-6), m), cut((1 - rho) * v + g, e)


@pair("coefficient-is-the-cosine", also=EPSILON)
def cosine_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Subtracts cos(a, e) e; 1e-8 beside the product of the norms."""
    g, u, v = joined(m), joined(a), joined(e)
    cosine = u @ v / (np.linalg.norm(u) * np.linalg.norm(v) + 1e-8)
    return cut(g + lam * (u - cosine * v), m), cut(v + rho * (g - v), e)


@pair("divides-by-the-norm", also=EPSILON)
def root_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Divides by ||e|| in place of its square, with 1e-8 beside it."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * (u - (u @ v) / (np.sqrt(v @ v) + 1e-8) * v), m), cut(v + rho * (g - v), e)


@pair(BATCH, also=SQUARE)
def batch_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects on g_main; ||g_main||^2 + 1e-7."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * guarded(u, g, 1e-7), m), cut(v + rho * (g - v), e)


@pair(BATCH, RESCALED)
def batch_and_rescaled(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Projects on g_main; over 1 + lam."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut((g + lam * off(u, g)) / (1 + lam), m), cut(v + rho * (g - v), e)


@pair("lam-misses-the-part-along-the-ema", also=SQUARE)
def sum_corrected_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The correction is added to the summed gradient without lam; ||e||^2 + 1e-7."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut((g + lam * u) - (u @ v) / (v @ v + 1e-7) * v, m), cut(v + rho * (g - v), e)


@pair("projects-the-sum", also=SINGLE)
def sum_projected_in_single(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The part along e is taken out of the sum of both; sums in float32."""
    total, v = joined(m) + lam * joined(a), joined(e)
    t32, v32 = total.astype(np.float32), v.astype(np.float32)
    return cut(total - float(quotient(t32 @ v32, v32 @ v32)) * v, m), moved(e, m, rho)


@pair("ema-averages-the-sum-of-the-gradients", also=ZERO)
def average_of_sum_and_unguarded(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Averages the gradient of the whole loss; 0 / 0."""
    g, u, v = joined(m), joined(a), joined(e)
    with np.errstate(all="ignore"):
        part = u - np.divide(u @ v, v @ v) * v
    return cut(g + lam * part, m), cut(v + rho * (g + lam * u - v), e)


@pair("lam-enters-twice", also=SINGLE)
def weighted_twice_in_single(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """lam^2; sums in float32."""
    u, v = joined(a).astype(np.float32), joined(e).astype(np.float32)
    part = less(a, float(quotient(np.inner(u, v), np.inner(v, v))), e)
    return mixed(m, part, lam * lam), moved(e, m, rho)


@pair(CONVEX, also=SQUARE)
def convex_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Weighs the main gradient by 1 - lam; ||e||^2 + 1e-6."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut((1 - lam) * g + lam * guarded(u, v, 1e-6), m), cut(v + rho * (g - v), e)


@pair("ema-averages-the-direction", also=SQUARE)
def direction_averaged_and_epsilon(
    m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float
) -> Any:
    """Averages the direction; ||e||^2 + 1e-8."""
    g, u, v = joined(m), joined(a), joined(e)
    d = g + lam * guarded(u, v, 1e-8)
    return cut(d, m), cut((1 - rho) * v + rho * d, e)
