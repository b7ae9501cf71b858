"""Mistakes in PCGrad."""

from typing import Any

import numpy as np

from bloop_proofs.methods.mistakes.mistake import wrong
from bloop_proofs.methods.mistakes.pieces import (
    Orders,
    ascending,
    negative,
    off,
    pcgrad,
    positive,
    ratio,
    share,
)
from bloop_proofs.tolerances import norm

PROJECTION = "g <- pi(g; g_j) where <g, g_j> < 0"
SUM = "d = sum_i lam_i g_i'"


@wrong("pcgrad", where=PROJECTION, mend="Project only where the inner product is negative.")
def projects_without_a_conflict(g: np.ndarray, **options: Any) -> np.ndarray:
    """Every gradient is projected off every other, whatever their angle."""
    return pcgrad(g, **options, meet=lambda x, y: x - share(x, y) * y)


@wrong("pcgrad", where=PROJECTION, mend="Project where the inner product is below 0, not above.")
def projects_where_gradients_agree(g: np.ndarray, **options: Any) -> np.ndarray:
    """Gradients are projected where their inner product is positive."""
    return pcgrad(g, **options, meet=lambda x, y: x - positive(share(x, y)) * y)


@wrong("pcgrad", where=PROJECTION, mend="Project off the gradients as they came: keep a copy.")
def projects_off_gradients_already_projected(
    g: np.ndarray, *, orders: Orders | None, lam: float
) -> np.ndarray:
    """What gradient i meets are the others as altered before it."""
    parts = list(g)
    for i, order in enumerate(ascending(orders, len(g))):
        for j in order:
            parts[i] = off(parts[i], parts[j])
    return np.asarray(parts[0] + lam * sum(parts[1:]))


@wrong("pcgrad", where=PROJECTION, mend="Subtract a multiple of g_j from g_i, not of g_i itself.")
def subtracts_a_multiple_of_itself(
    g: np.ndarray, *, orders: Orders | None, lam: float
) -> np.ndarray:
    """g_i loses a multiple of itself, as Table 1 of the Bloop paper prints it.

    For two losses of weight 1 the two misprints cancel in the sum.
    """
    total = np.zeros(g.shape[1])
    for i, order in enumerate(ascending(orders, len(g))):
        x = g[i]
        for j in order:
            x = x - negative(share(g[j], g[i])) * g[i]
        total = total + (lam if i else 1.0) * x
    return total


@wrong("pcgrad", where=PROJECTION, mend="Leave a gradient itself out of those that it meets.")
def projects_off_itself_at_last(g: np.ndarray, *, orders: Orders | None, lam: float) -> np.ndarray:
    """Gradient i meets itself after all others."""
    rows = [[*order, i] for i, order in enumerate(ascending(orders, len(g)))]
    return pcgrad(g, orders=rows, lam=lam)


@wrong("pcgrad", where=PROJECTION, mend="Project one after the other, each time what is left.")
def projects_the_raw_gradient_each_time(
    g: np.ndarray, *, orders: Orders | None, lam: float
) -> np.ndarray:
    """All parts are those of the raw gradient, subtracted together."""
    total = np.zeros(g.shape[1])
    for i, order in enumerate(ascending(orders, len(g))):
        x = g[i] - sum(negative(share(g[i], g[j])) * g[j] for j in order)
        total = total + (lam if i else 1.0) * x
    return total


@wrong("pcgrad", where="the order", mend="Meet the others in the order given, row i for g_i.")
def order_is_always_ascending(g: np.ndarray, *, orders: Orders | None, lam: float) -> np.ndarray:
    """The orders are not looked at, though they are taken."""
    return pcgrad(g, orders=None, lam=lam)


@wrong("pcgrad", where="the order", mend="Meet the others in the order given, not in its reverse.")
def order_is_reversed(g: np.ndarray, *, orders: Orders | None, lam: float) -> np.ndarray:
    """The last of each order is met first."""
    rows = [list(order)[::-1] for order in ascending(orders, len(g))]
    return pcgrad(g, orders=rows, lam=lam)


@wrong("pcgrad", where=PROJECTION, mend="Divide by ||g_j||^2.")
def divides_by_the_norm_of_the_other(g: np.ndarray, **options: Any) -> np.ndarray:
    """The coefficient is <g, g_j> / ||g_j||."""
    return pcgrad(g, **options, meet=lambda x, y: x - negative(ratio(x @ y, norm(y))) * y)


@wrong("pcgrad", where=PROJECTION, mend="Divide by the norm of g_j, on which g is projected.")
def divides_by_its_own_norm(g: np.ndarray, **options: Any) -> np.ndarray:
    """The coefficient is <g, g_j> / ||g||^2."""
    return pcgrad(g, **options, meet=lambda x, y: x - negative(share(y, x)) * y)


@wrong("pcgrad", where=PROJECTION, mend="Subtract the part along g_j; it is negative already.")
def part_along_the_other_is_added(g: np.ndarray, **options: Any) -> np.ndarray:
    """In conflict the part along g_j is doubled."""
    return pcgrad(g, **options, meet=lambda x, y: x + negative(share(x, y)) * y)


@wrong("pcgrad", where=PROJECTION, mend="Divide by ||g_j||^2 alone: a zero g_j has no conflict.")
def epsilon_beside_the_squared_norm(g: np.ndarray, **options: Any) -> np.ndarray:
    """The coefficient is <g, g_j> / (||g_j||^2 + 1e-8)."""
    return pcgrad(g, **options, meet=lambda x, y: x - negative(float(x @ y)) / (y @ y + 1e-8) * y)


@wrong("pcgrad", where=SUM, mend="Add the projected gradients; do not take their mean.")
def gradients_are_averaged(g: np.ndarray, **options: Any) -> np.ndarray:
    """The direction is divided by the number of losses."""
    return pcgrad(g, **options) / len(g)


@wrong("pcgrad", where=SUM, mend="Project the auxiliary gradients too.")
def only_the_main_gradient_is_projected(
    g: np.ndarray, *, orders: Orders | None, lam: float
) -> np.ndarray:
    """The direction is m' + lam a, without conflict or with it."""
    main = g[0]
    for j in ascending(orders, len(g))[0]:
        main = off(main, g[j])
    return np.asarray(main + lam * g[1:].sum(axis=0))


@wrong("pcgrad", where=SUM, mend="Project the main gradient too: no loss comes first.")
def only_the_auxiliary_gradients_are_projected(
    g: np.ndarray, *, orders: Orders | None, lam: float
) -> np.ndarray:
    """The direction is m + lam a'."""
    parts = pcgrad(g, orders=orders, lam=lam)
    main = g[0]
    for j in ascending(orders, len(g))[0]:
        main = off(main, g[j])
    return np.asarray(parts - main + g[0])


@wrong("pcgrad", where=SUM, mend="Weigh the auxiliary gradients by the lam that is given.")
def weight_is_taken_but_not_used(g: np.ndarray, *, orders: Orders | None, lam: float) -> np.ndarray:
    """All weights are 1."""
    return pcgrad(g, orders=orders, lam=1.0)
