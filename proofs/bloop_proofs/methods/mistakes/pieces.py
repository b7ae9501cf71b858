"""Right steps on the rows of a matrix, whose parts the catalogue's wrong ones exchange."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bloop_proofs.methods.registry import METHODS
from bloop_proofs.methods.truths import conflict_averse_weights, least_norm_weights
from bloop_proofs.tolerances import norm

Orders = Sequence[Sequence[int]]


def ratio(numerator: Any, denominator: Any) -> Any:
    """Return a quotient, 0 where the denominator is 0."""
    return numerator / denominator if denominator != 0 else 0.0 * numerator


def share(v: np.ndarray, w: np.ndarray) -> float:
    """Return <v, w> / ||w||^2, 0 for w = 0."""
    return float(ratio(v @ w, w @ w))


def cosine(v: np.ndarray, w: np.ndarray) -> float:
    """Return the cosine, 0 with a zero vector."""
    return float(ratio(v @ w, norm(v) * norm(w)))


def negative(x: float) -> float:
    """Return min(x, 0), NaN for NaN."""
    return float(np.minimum(x, 0.0))


def positive(x: float) -> float:
    """Return max(x, 0), NaN for NaN."""
    return float(np.maximum(x, 0.0))


def mixed(g: np.ndarray, *, lam: float) -> np.ndarray:
    """Return mixed training's direction."""
    return np.asarray(g[0] + lam * g[1:].sum(axis=0))


def a_gem(g: np.ndarray) -> np.ndarray:
    """Return A-GEM's direction."""
    return np.asarray(g[0] - negative(share(g[0], g[1])) * g[1])


def dynamic_barrier(g: np.ndarray, *, lam: float) -> np.ndarray:
    """Return the dynamic barrier's direction."""
    main = 1 - lam * share(g[1], g[0])
    return np.asarray(lam * g[1] + positive(main) * g[0])


def cosine_gate(
    g: np.ndarray, *, weighted: bool, gate: Callable[[np.ndarray, np.ndarray], float] | None = None
) -> np.ndarray:
    """Return cosine gating's direction, with another gate than the right ones if one is given."""
    return np.asarray(g[0] + sum((gate or gates[weighted])(g[0], a) * a for a in g[1:]))


gates: dict[bool, Callable[[np.ndarray, np.ndarray], float]] = {
    True: lambda m, a: positive(cosine(m, a)),
    False: lambda m, a: float(np.heaviside(m @ a, 1.0)),
}
"""The gate, weighted and not."""


def segment(g: np.ndarray) -> float:
    """Return the weight of m for the point of least norm of a line through m and a."""
    m, a = g
    square = float((m - a) @ (m - a))
    return float((a - m) @ a) / square if square else 0.5


def mgda(g: np.ndarray) -> np.ndarray:
    """Return the point of least norm of a hull."""
    if len(g) == 2:
        w = float(np.clip(segment(g), 0, 1))
        return np.asarray(w * g[0] + (1 - w) * g[1])
    return np.asarray(least_norm_weights(g) @ g)


def ascending(orders: Orders | None, losses: int) -> Orders:
    """Return the orders, ascending ones where none are given."""
    return orders or [[j for j in range(losses) if j != i] for i in range(losses)]


Meeting = Callable[[np.ndarray, np.ndarray], np.ndarray]


def off(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return x, less its part along y where they conflict."""
    return np.asarray(x - negative(share(x, y)) * y)


def pcgrad(g: np.ndarray, *, orders: Orders | None, lam: float, meet: Meeting = off) -> np.ndarray:
    """Return PCGrad's direction, with another meeting of two gradients if one is given."""
    total = np.zeros(g.shape[1])
    for i, order in enumerate(ascending(orders, len(g))):
        x = g[i]
        for j in order:
            x = meet(x, g[j])
        total = total + (lam if i else 1.0) * x
    return total


def lift(x: np.ndarray, y: np.ndarray, target: float) -> float:
    """Return how much of y takes the cosine of x with y to a target."""
    c = cosine(x, y)
    lifted = target * np.sqrt(positive(1 - c * c)) - c * np.sqrt(1 - target * target)
    return float(ratio(norm(x) * lifted, norm(y) * np.sqrt(1 - target * target)))


def raised(x: np.ndarray, y: np.ndarray, target: float) -> np.ndarray:
    """Return x with its cosine with y at a target at least."""
    return np.asarray(x + lift(x, y, target) * y) if not cosine(x, y) >= target else x


def averaged(old: float, before: float, after: float, beta: float) -> float:
    """Return the new target, of the cosine before the lift."""
    return (1 - beta) * old + beta * before


def grad_vac(
    g: np.ndarray,
    state: Any,
    *,
    beta: float,
    orders: Orders | None,
    raising: Callable[[np.ndarray, np.ndarray, float], np.ndarray] = raised,
    average: Callable[[float, float, float, float], float] = averaged,
    pair: Callable[[int, int], tuple[int, int]] = lambda i, j: (i, j),
) -> Any:
    """Return GradVac's direction and its targets, some parts exchanged if others are given."""
    targets = dict(state or {})
    total = np.zeros(g.shape[1])
    for i, order in enumerate(ascending(orders, len(g))):
        x = g[i]
        for j in order:
            target = targets.get(pair(i, j), 0.0)
            new = raising(x, g[j], target)
            targets[pair(i, j)] = average(target, cosine(x, g[j]), cosine(new, g[j]), beta)
            x = new
        total = total + x
    return total, targets


def meta_balance(
    g: np.ndarray,
    state: Any,
    *,
    r: float,
    beta: float,
    weigh: Callable[[float, float, float], float] = lambda main, own, r: r * ratio(main, own),
    size: Callable[[np.ndarray], float] = norm,
) -> Any:
    """Return MetaBalance's direction and averages, some parts exchanged if others are given."""
    old = np.zeros(len(g)) if state is None else state
    sizes = beta * old + (1 - beta) * np.array([size(v) for v in g])
    aux = sum((weigh(sizes[0], n, r) + (1 - r)) * a for n, a in zip(sizes[1:], g[1:], strict=True))
    return g[0] + aux, sizes


def conflict_averse(g: np.ndarray, c: float) -> tuple[np.ndarray, np.ndarray]:
    """Return CAGrad's g_0 and g_w / ||g_w||."""
    mean = g.mean(axis=0)
    pull = conflict_averse_weights(g, c) @ g
    return mean, np.asarray(ratio(pull, norm(pull)))


def cagrad(g: np.ndarray, *, c: float) -> np.ndarray:
    """Return CAGrad's direction."""
    mean, pull = conflict_averse(g, c)
    return np.asarray(mean + c * norm(mean) * pull)


def similarities(g: np.ndarray) -> np.ndarray:
    """Return 2 x y / (x^2 + y^2) for all pairs of norms, 1 for two zeros."""
    sizes = np.array([norm(v) for v in g])
    products, squares = np.outer(sizes, sizes), np.add.outer(sizes**2, sizes**2)
    return np.asarray(
        np.where(squares == 0, 1.0, 2 * products / np.where(squares == 0, 1, squares))
    )


def pair_mean(g: np.ndarray) -> float:
    """Return Psi."""
    return float(np.mean(similarities(g)[np.triu_indices(len(g), 1)]))


def equalised(g: np.ndarray) -> np.ndarray:
    """Return mean(n) sum_k g_k / n_k."""
    sizes = [norm(v) for v in g]
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


RIGHT = {
    METHODS[plain.__name__]: plain
    for plain in (
        mixed,
        a_gem,
        dynamic_barrier,
        mgda,
        cosine_gate,
        grad_vac,
        pcgrad,
        meta_balance,
        cagrad,
        sam_gs,
    )
}
"""The right step of every method."""
