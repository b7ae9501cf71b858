"""One mistake in a method that Bloop is compared with."""

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any

import numpy as np

from tests.proofs.fresh.entries import CONVEX, single
from tests.proofs.right.pieces import cut, joined


def unless(bottom: float, top: float) -> float:
    return top / bottom if bottom else 0.0


def two(gradients: Any) -> tuple[np.ndarray, np.ndarray]:
    if len(gradients) != 2:
        raise NotImplementedError("two losses only")
    return joined(gradients[0]), joined(gradients[1])


def hull(m: np.ndarray, a: np.ndarray) -> np.ndarray:
    """The point of least norm between two."""
    square = (m - a) @ (m - a)
    w = min(max(float(unless(square, (a - m) @ a)), 0.0), 1.0)
    return w * m + (1 - w) * a


@single("projects-where-gradients-agree", method="pcgrad")
def pcgrad_where_they_agree(gradients: Any, *, orders: Any, lam: float) -> Any:
    """The sign of the test is wrong: projects where the gradients agree."""
    vectors = [joined(g) for g in gradients]
    total = np.zeros_like(vectors[0])
    for i, order in enumerate(orders):
        g = vectors[i].copy()
        for j in order:
            if j != i and g @ vectors[j] > 0:
                g -= g @ vectors[j] / (vectors[j] @ vectors[j]) * vectors[j]
        total = total + (lam if i else 1.0) * g
    return cut(np.asarray(total), gradients[0])


@single("gradients-are-averaged", method="pcgrad")
def pcgrad_mean(gradients: Any, *, orders: Any, lam: float) -> Any:
    """The mean of the altered gradients in place of their sum."""
    vectors = [joined(g) for g in gradients]
    altered = []
    for i, order in enumerate(orders):
        g = vectors[i].copy()
        for j in order:
            if j != i and (inner := g @ vectors[j]) < 0:
                g -= inner / (vectors[j] @ vectors[j]) * vectors[j]
        altered.append((lam if i else 1.0) * g)
    return cut(np.mean(altered, axis=0), gradients[0])


@single("epsilon-*beside-the-squared-norm", method="pcgrad")
def pcgrad_epsilon(gradients: Any, *, orders: Any, lam: float) -> Any:
    """||g_j||^2 + 1e-5."""
    vectors = [joined(g) for g in gradients]
    altered = [v.copy() for v in vectors]
    for i, order in enumerate(orders):
        for j in order:
            inner = altered[i] @ vectors[j]
            if j != i and inner < 0:
                altered[i] -= inner * vectors[j] / (vectors[j] @ vectors[j] + 1e-5)
    weights = np.array([1.0, *[lam] * (len(vectors) - 1)])
    return cut(weights @ np.stack(altered), gradients[0])


@single("weight-is-not-clipped", method="mgda")
def mgda_outside_the_hull(gradients: Any) -> Any:
    """The weight is not held in [0, 1]."""
    m, a = two(gradients)
    w = unless(float((m - a) @ (m - a)), float((a - m) @ a))
    return cut(w * m + (1 - w) * a, gradients[0])


@single("weights-are-exchanged", method="mgda")
def mgda_weights_exchanged(gradients: Any) -> Any:
    """The weight of the one is given to the other."""
    m, a = two(gradients)
    w = min(max(unless(float((m - a) @ (m - a)), float((a - m) @ a)), 0.0), 1.0)
    return cut(w * a + (1 - w) * m, gradients[0])


@single("gradients-are-normalised-first", method="mgda")
def mgda_of_unit_gradients(gradients: Any) -> Any:
    """The gradients are brought to norm one before."""
    m, a = (v / np.linalg.norm(v) if v.any() else v for v in two(gradients))
    return cut(hull(m, a), gradients[0])


def cagrad(gradients: Any, c: float, scale: float) -> np.ndarray:
    """CAGrad of two by a search on the segment of the weights, fine enough for rounding."""
    m, a = two(gradients)
    mean = (m + a) / 2
    size = np.linalg.norm(mean)

    def worst(w: float) -> float:
        g = w * m + (1 - w) * a
        return float(g @ mean + c * size * np.linalg.norm(g))

    low, high = 0.0, 1.0
    for _ in range(120):
        third = (high - low) / 3
        if worst(low + third) <= worst(high - third):
            high -= third
        else:
            low += third
    g = (low + high) / 2 * m + (1 - (low + high) / 2) * a
    return np.asarray(mean + scale * c * size * unless(float(np.linalg.norm(g)), 1.0) * g)


@single("direction-is-divided-by-one-plus-c-squared", method="cagrad")
def cagrad_rescaled(gradients: Any, *, c: float) -> Any:
    """Divides by 1 + c^2, as the published code does."""
    return cut(cagrad(gradients, c, 1.0) / (1 + c**2), gradients[0])


@single("mean-is-a-sum", method="cagrad")
def cagrad_of_the_sum(gradients: Any, *, c: float) -> Any:
    """The sum of the gradients in place of their mean, everywhere."""
    return cut(2 * cagrad(gradients, c, 1.0), gradients[0])


@single("beta-and-its-complement-are-swapped", method="grad_vac")
def grad_vac_beta_of_the_old(gradients: Any, state: Any, *, beta: float) -> Any:
    """Takes beta for the weight of the old target."""
    return vaccinated(gradients, state, lambda t, cosine: beta * t + (1 - beta) * cosine)


@single(method="grad_vac")
def grad_vac_from_one(gradients: Any, state: Any, *, beta: float) -> Any:
    """The targets start at one."""
    state = state or {(0, 1): 1.0, (1, 0): 1.0}
    return vaccinated(gradients, state, lambda t, cosine: t + beta * (cosine - t))


def vaccinated(gradients: Any, state: Any, move: Any) -> Any:
    """GradVac of two gradients."""
    vectors, targets = two(gradients), dict(state or {})
    total = np.zeros_like(vectors[0])
    for i, j in ((0, 1), (1, 0)):
        g, h = vectors[i], vectors[j]
        sizes = float(np.linalg.norm(g) * np.linalg.norm(h))
        cosine = min(max(unless(sizes, float(g @ h)), -1.0), 1.0)
        t = targets.get((i, j), 0.0)
        if sizes and cosine < t:
            sine = np.sqrt(max(0.0, (1 - cosine) * (1 + cosine)))
            top = t * sine - cosine * np.sqrt(1 - t * t)
            bottom = np.linalg.norm(h) * np.sqrt(1 - t * t)
            total = total + g + np.linalg.norm(g) * unless(float(bottom), float(top)) * h
        else:
            total = total + g
        targets[i, j] = move(t, cosine)
    return cut(np.asarray(total), gradients[0]), targets


@single("barrier-is-the-auxiliary-norm-squared", method="dynamic_barrier")
def barrier_of_the_auxiliary(gradients: Any, *, lam: float) -> Any:
    """The barrier is the squared norm of the auxiliary gradient."""
    m, a = two(gradients)
    b = lam * a
    weight = max(unless(float(m @ m), float(a @ a - m @ b)), 0.0)
    return cut(b + weight * m, gradients[0])


@single("weight-is-not-held-above-zero", method="dynamic_barrier")
def barrier_without_a_floor(gradients: Any, *, lam: float) -> Any:
    """The weight of the main gradient may be negative."""
    m, a = two(gradients)
    return cut(lam * a + (1 - unless(float(m @ m), float(lam * (m @ a)))) * m, gradients[0])


@single("projects-always", method="a_gem")
def a_gem_always(gradients: Any) -> Any:
    """Projects without looking whether there is a conflict."""
    m, a = two(gradients)
    return cut(m - unless(float(a @ a), float(m @ a)) * a, gradients[0])


@single("gate-is-an-inner-product", method="cosine_gate")
def gate_of_products(gradients: Any, *, weighted: bool) -> Any:
    """Weighs by the inner product in place of the cosine."""
    m, *others = (joined(g) for g in gradients)
    d = m
    for a in others:
        inner = float(m @ a)
        d = d + (max(0.0, inner) if weighted else float(inner > 0)) * a
    return cut(d, gradients[0])


@single("relaxation-is-swapped", method="meta_balance")
def balance_turned_round(gradients: Any, state: Any, *, r: float, beta: float) -> Any:
    """r and 1 - r are exchanged."""
    vectors = [joined(g) for g in gradients]
    old = state or [0.0] * len(vectors)
    norms = [beta * n + (1 - beta) * np.linalg.norm(v) for n, v in zip(old, vectors, strict=True)]
    d = vectors[0]
    for n, v in zip(norms[1:], vectors[1:], strict=True):
        d = d + (unless(float(n), float(norms[0])) * (1 - r) + r) * v
    return cut(d, gradients[0]), norms


def sam_gs(
    gradients: Any,
    state: Any,
    pairs_of: Callable[[list[float]], Iterable[tuple[float, float]]],
    *,
    beta1: float,
    beta2: float,
    gamma: float,
    eps: float,
) -> Any:
    """SAM-GS with averages that are not corrected; Psi is the mean over some pairs of norms."""
    g = [joined(x) for x in gradients]
    moments, h = state or ([0.0 * x for x in g], 0.0)
    n = [float(np.linalg.norm(x)) for x in g]
    psi = np.mean([2 * x * y / (x * x + y * y) if x or y else 1.0 for x, y in pairs_of(n)])
    moments = [beta1 * m + (1 - beta1) * x for m, x in zip(moments, g, strict=True)]
    h = beta2 * h + (1 - beta2) * (1 - psi) ** 2 + eps
    if psi < gamma:
        d = sum(np.mean(n) * unless(size, 1.0) * x for size, x in zip(n, g, strict=True))
    else:
        d = sum(np.abs(m) * x for m, x in zip(moments, g, strict=True)) / np.sqrt(h)
    return cut(np.asarray(d), gradients[0]), (moments, h)


@single("averages-are-not-corrected", method="sam_gs")
def sam_gs_not_debiased(
    gradients: Any, state: Any, *, beta1: float, beta2: float, gamma: float, eps: float
) -> Any:
    """The averages are not corrected for their start at zero."""
    options = {"beta1": beta1, "beta2": beta2, "gamma": gamma, "eps": eps}
    return sam_gs(gradients, state, lambda norms: combinations(norms, 2), **options)


@single(CONVEX, method="mixed")
def mixed_convex(gradients: Any, *, lam: float) -> Any:
    """Weighs the main gradient by 1 - lam."""
    m, *others = (joined(g) for g in gradients)
    return cut((1 - lam) * m + lam * sum(others), gradients[0])


@single(method="between")
def between_against_the_step(x: Any, held: Any, ema: Any, *, lam: float, rho: float) -> Any:
    """Adds the part along e instead of taking it out."""
    g, h, e = joined(x), joined(held), joined(ema)
    c = unless(float(e @ e), float(h @ e))
    return cut(g + lam * c * e, x), cut(e + rho * (g - lam * h - e), ema)
