"""SAM-GS: its step, and what is right."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bloop_proofs.rows import (
    norms,
    ratio,
)
from bloop_proofs.signature import Signature, any_of
from bloop_proofs.tolerances import (
    modulation_error,
    norm,
    product_error,
    row_rounding,
)
from bloop_proofs.truths.products import Options, by


def similarities(g: np.ndarray) -> np.ndarray:
    """Return 2 x y / (x^2 + y^2) for all pairs of norms, 1 for two zeros."""
    sizes = norms(g)
    products, squares = np.outer(sizes, sizes), np.add.outer(sizes**2, sizes**2)
    return np.asarray(
        np.where(squares == 0, 1.0, 2 * products / np.where(squares == 0, 1, squares))
    )


def pair_mean(g: np.ndarray) -> float:
    """Return Psi."""
    return over_pairs(similarities(g))


def over_pairs(table: np.ndarray) -> float:
    """Return the mean over pairs of two different vectors."""
    return float(np.mean(table[np.triu_indices(len(table), 1)]))


def equalised(g: np.ndarray) -> np.ndarray:
    """Return mean(n) sum_k g_k / n_k."""
    sizes = norms(g)
    return np.asarray(np.mean(sizes) * sum(ratio(v, n) for v, n in zip(g, sizes, strict=True)))


def sam_gs(
    g: np.ndarray,
    state: Any,
    *,
    beta1: float,
    beta2: float,
    gamma: float,
    eps: float,
    psi: Callable[[np.ndarray], float] = pair_mean,
    even: Callable[[np.ndarray], np.ndarray] = equalised,
    unlike: Callable[[float], float] = lambda similarity: (1 - similarity) ** 2,
    modulate: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda m, g: np.abs(m) * g,
    over: Callable[[float], float] = np.sqrt,
    corrected: tuple[bool, bool] = (True, True),
) -> Any:
    """Return SAM-GS's direction and state, some parts exchanged if others are given."""
    momenta, h, t = state or (np.zeros_like(g), 0.0, 0)
    similarity, t = psi(g), t + 1
    momenta = beta1 * momenta + (1 - beta1) * g
    h = beta2 * h + (1 - beta2) * unlike(similarity) + eps
    first, second = (
        1 - beta**t if correct else 1.0
        for beta, correct in zip((beta1, beta2), corrected, strict=True)
    )
    if similarity < gamma:
        return even(g), (momenta, h, t)
    direction = modulate(momenta / first, g).sum(axis=0) / over(h / second)
    return direction, (momenta, h, t)


def judge(options: Sequence[Options], steps: np.ndarray, u: float) -> tuple[np.ndarray, float]:
    """Return SAM-GS's direction; near the threshold either branch is right."""
    known: dict[str, Any] = dict(options[-1])
    losses, n = steps.shape[1:]
    beta1, beta2 = known["beta1"], known["beta2"]
    state: Any = None
    unlike, momenta = 0.0, np.zeros((losses, n))
    for step in steps:
        before = state
        direction, state = sam_gs(step, before, **known)
        unlike = beta2 * unlike + (1 - beta2) * (1 - pair_mean(step))
        momenta = beta1 * momenta + (1 - beta1) * np.abs(step)
    weight = 1 - beta2 ** len(steps)
    square, similarity, sizes = state[1] / weight, pair_mean(step), norms(step)
    error = modulation_error(u, n, unlike / weight, square)
    modulated = float(np.sum(norms(momenta) / (1 - beta1 ** len(steps)) * sizes))
    delta = product_error(u, n)
    even = delta * losses * float(sizes.mean())
    uneven = (error + row_rounding(u, losses, 1.0)) * modulated / math.sqrt(square)
    if abs(similarity - known["gamma"]) > delta:
        return direction, even if similarity < known["gamma"] else uneven
    across = known["gamma"] + (2 * delta if similarity >= known["gamma"] else -2 * delta)
    other, _ = sam_gs(step, before, **{**known, "gamma": across})
    return direction, even + uneven + norm(other - direction)


SIGNATURE = Signature(
    "sam_gs",
    "With Psi the mean over pairs of 2 n_i n_j / (n_i^2 + n_j^2), n_k = ||g_k||: "
    "d = mean(n) sum_k g_k / n_k where Psi < gamma, else sum_k |M^_k| * g_k / sqrt(h^).",
    "Borsani et al. 2025",
    by(judge),
    options={
        "beta1": any_of(0.5, 0.9, 0.25, 0.0),
        "beta2": any_of(0.5, 0.99, 0.25),
        "gamma": any_of(0.1, 0.5, 0.9, 0.0),
        "eps": any_of(2.0**-10, 1e-8),
    },
    stateful=True,
)
