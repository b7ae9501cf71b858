"""Two mistakes in a method that Bloop is compared with."""

from itertools import product
from typing import Any

import numpy as np

from tests.proofs.fresh.entries import CONVEX, EPSILON, pair
from tests.proofs.fresh.singles_methods import cagrad, hull, sam_gs, two, unless, vaccinated
from tests.proofs.right.pieces import cut, joined


@pair("projects-off-gradients-already-projected", "gradients-are-averaged", method="pcgrad")
def pcgrad_of_altered_and_mean(gradients: Any, *, orders: Any, lam: float) -> Any:
    """Projects on gradients that have been altered already; the mean in place of the sum."""
    vectors = [joined(g) for g in gradients]
    for i, order in enumerate(orders):
        for j in order:
            if j != i and (inner := vectors[i] @ vectors[j]) < 0:
                vectors[i] = vectors[i] - inner / (vectors[j] @ vectors[j]) * vectors[j]
    weights = [1.0, *[lam] * (len(vectors) - 1)]
    total = sum(w * v for w, v in zip(weights, vectors, strict=True))
    return cut(np.asarray(total) / len(vectors), gradients[0])


@pair("projects-where-gradients-agree", also=EPSILON, method="pcgrad")
def pcgrad_agreeing_and_epsilon(gradients: Any, *, orders: Any, lam: float) -> Any:
    """Projects where the gradients agree; ||g_j||^2 + 1e-8."""
    vectors = [joined(g) for g in gradients]
    total = np.zeros_like(vectors[0])
    for i, order in enumerate(orders):
        g = vectors[i].copy()
        for j in order:
            inner = g @ vectors[j]
            if j != i and inner > 0:
                g -= inner / (vectors[j] @ vectors[j] + 1e-8) * vectors[j]
        total = total + (lam if i else 1.0) * g
    return cut(np.asarray(total), gradients[0])


@pair("layer-by-layer", also=EPSILON, method="pcgrad")
def pcgrad_leaves_and_epsilon(gradients: Any, *, orders: Any, lam: float) -> Any:
    """Leaf by leaf; ||g_j||^2 + 1e-7."""
    direction = []
    for leaves in zip(*gradients, strict=True):
        vectors = [joined([leaf]) for leaf in leaves]
        total = np.zeros_like(vectors[0])
        for i, order in enumerate(orders):
            g = vectors[i].copy()
            for j in order:
                if j != i and (inner := g @ vectors[j]) < 0:
                    g -= inner / (vectors[j] @ vectors[j] + 1e-7) * vectors[j]
            total += (lam if i else 1.0) * g
        direction += cut(total, [leaves[0]])
    return direction


@pair("weights-are-exchanged", "weight-is-not-clipped", method="mgda")
def mgda_exchanged_and_unclipped(gradients: Any) -> Any:
    """The weights are exchanged, and not held in [0, 1]."""
    m, a = two(gradients)
    w = unless(float((m - a) @ (m - a)), float((a - m) @ a))
    return cut(w * a + (1 - w) * m, gradients[0])


@pair("gradients-are-normalised-first", also=EPSILON, method="mgda")
def mgda_of_unit_gradients_and_epsilon(gradients: Any) -> Any:
    """The gradients are brought to norm one, over their norms plus 1e-8."""
    m, a = (v / (np.linalg.norm(v) + 1e-8) for v in two(gradients))
    return cut(hull(m, a), gradients[0])


@pair("direction-is-divided-by-one-plus-c-squared", "mean-is-a-sum", method="cagrad")
def cagrad_rescaled_sum(gradients: Any, *, c: float) -> Any:
    """Divides by 1 + c^2; the sum in place of the mean."""
    return cut(2 * cagrad(gradients, c, 1.0) / (1 + c * c), gradients[0])


@pair("radius-is-squared", like="direction-is-divided-by-one-plus-c-squared", method="cagrad")
def cagrad_squared_and_rescaled(gradients: Any, *, c: float) -> Any:
    """Divides by 1 + c; the radius is c^2 ||g_0||."""
    return cut(cagrad(gradients, c, c) / (1 + c), gradients[0])


@pair("beta-and-its-complement-are-swapped", method="grad_vac")
def grad_vac_decay_from_one(gradients: Any, state: Any, *, beta: float) -> Any:
    """Takes beta for the weight of the old target; the targets start at one half."""
    state = state or {(0, 1): 0.5, (1, 0): 0.5}
    return vaccinated(gradients, state, lambda t, cosine: beta * t + (1 - beta) * cosine)


@pair(
    "barrier-is-the-auxiliary-norm-squared",
    "weight-is-not-held-above-zero",
    method="dynamic_barrier",
)
def barrier_of_the_auxiliary_unfloored(gradients: Any, *, lam: float) -> Any:
    """The barrier is that of the auxiliary gradient; the weight may be negative."""
    m, a = two(gradients)
    b = lam * a
    return cut(b + unless(float(m @ m), float(a @ a - m @ b)) * m, gradients[0])


@pair("weight-is-not-held-above-zero", also=EPSILON, method="dynamic_barrier")
def barrier_unfloored_and_epsilon(gradients: Any, *, lam: float) -> Any:
    """The weight of the main gradient may be negative; ||m||^2 + 1e-8."""
    m, a = two(gradients)
    b = lam * a
    return cut(b + (m @ m - m @ b) / (m @ m + 1e-8) * m, gradients[0])


@pair("projects-always", also=EPSILON, method="a_gem")
def a_gem_always_and_epsilon(gradients: Any) -> Any:
    """Projects always; ||a||^2 + 1e-6."""
    m, a = two(gradients)
    return cut(m - m @ a / (a @ a + 1e-6) * a, gradients[0])


@pair("roles-are-exchanged", also=EPSILON, method="a_gem")
def a_gem_roles_and_epsilon(gradients: Any) -> Any:
    """Projects the auxiliary gradient off the main one; ||m||^2 + 1e-8."""
    m, a = two(gradients)
    inner = float(m @ a)
    return cut(a if inner >= 0 else a - inner / (m @ m + 1e-8) * m, gradients[0])


@pair("gate-loses-the-sign", also=EPSILON, method="cosine_gate")
def gate_of_magnitude_and_epsilon(gradients: Any, *, weighted: bool) -> Any:
    """Weighs by the absolute value of the cosine; 1e-8 beside the norms."""
    m, *others = (joined(g) for g in gradients)
    d = m
    for a in others:
        cosine = float(m @ a / (np.linalg.norm(m) * np.linalg.norm(a) + 1e-8))
        d = d + (abs(cosine) if weighted else float(cosine != 0)) * a
    return cut(d, gradients[0])


@pair("beta-is-the-weight-of-the-new-norm", also=EPSILON, method="meta_balance")
def balance_of_new_and_epsilon(gradients: Any, state: Any, *, r: float, beta: float) -> Any:
    """Takes beta for the weight of the new norm; 1e-8 beside it."""
    vectors = [joined(g) for g in gradients]
    old = state or [0.0] * len(vectors)
    norms = [(1 - beta) * n + beta * np.linalg.norm(v) for n, v in zip(old, vectors, strict=True)]
    d = vectors[0]
    for n, v in zip(norms[1:], vectors[1:], strict=True):
        d = d + (norms[0] / (n + 1e-8) * r + (1 - r)) * v
    return cut(d, gradients[0]), norms


@pair("averages-are-not-corrected", "similarity-includes-the-diagonal", method="sam_gs")
def sam_gs_raw_and_all_pairs(
    gradients: Any, state: Any, *, beta1: float, beta2: float, gamma: float, eps: float
) -> Any:
    """No correction for the start at zero; Psi is the mean over all pairs, equal ones too."""
    options = {"beta1": beta1, "beta2": beta2, "gamma": gamma, "eps": eps}
    return sam_gs(gradients, state, lambda norms: product(norms, norms), **options)


@pair(CONVEX, method="mixed")
def mixed_convex_in_single(gradients: Any, *, lam: float) -> Any:
    """Weighs the main gradient by 1 - lam; all in float32."""
    m, *others = (joined(g).astype(np.float32) for g in gradients)
    total = np.float32(1 - lam) * m + np.float32(lam) * sum(others)
    return cut(total.astype(np.float64), gradients[0])


@pair("averages-the-mixed-gradient", also=EPSILON, method="between")
def between_of_the_mixture(x: Any, held: Any, ema: Any, *, lam: float, rho: float) -> Any:
    """The mixed gradient enters the average as it is; ||e||^2 + 1e-7."""
    g, h, e = joined(x), joined(held), joined(ema)
    c = float(h @ e) / (float(e @ e) + 1e-7)
    return cut(g - lam * c * e, x), cut(e + rho * (g - e), ema)
