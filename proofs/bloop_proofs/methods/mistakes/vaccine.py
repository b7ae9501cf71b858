"""Mistakes in GradVac."""

from typing import Any

import numpy as np

from bloop_proofs.methods.mistakes.mistake import wrong
from bloop_proofs.methods.mistakes.pieces import (
    Orders,
    ascending,
    cosine,
    grad_vac,
    lift,
    off,
    positive,
    raised,
    ratio,
)
from bloop_proofs.tolerances import norm

LIFT = "g <- g + w g_j where cos(g, g_j) < t_ij"
TARGET = "t_ij <- (1 - beta) t_ij + beta c"


@wrong("grad_vac", where=TARGET, mend="Average the cosine from before the lift.")
def target_averages_lifted_cosines(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The target moves towards the cosine after the lift."""

    def mean(old: float, before: float, after: float, beta: float) -> float:
        return (1 - beta) * old + beta * after

    return grad_vac(g, state, **options, average=mean)


@wrong("grad_vac", where=TARGET, mend="beta is the weight of the new cosine, 1 - beta of the old.")
def beta_and_its_complement_are_swapped(
    g: np.ndarray, state: Any, *, beta: float, orders: Orders | None
) -> Any:
    """The target becomes beta t + (1 - beta) c."""
    return grad_vac(g, state, beta=1 - beta, orders=orders)


@wrong("grad_vac", where=TARGET, mend="Lift to the target of before; update it afterwards.")
def target_is_updated_before_the_lift(
    g: np.ndarray, state: Any, *, beta: float, orders: Orders | None
) -> Any:
    """The cosine of this step enters the target that it is compared with."""

    def raising(x: np.ndarray, y: np.ndarray, target: float) -> np.ndarray:
        return raised(x, y, (1 - beta) * target + beta * cosine(x, y))

    return grad_vac(g, state, beta=beta, orders=orders, raising=raising)


@wrong("grad_vac", where=TARGET, mend="Keep one target for every pair of losses.")
def one_target_for_all_pairs(g: np.ndarray, state: Any, **options: Any) -> Any:
    """All pairs share a target, which each of them moves."""
    return grad_vac(g, state, **options, pair=lambda i, j: (0, 0))


@wrong("grad_vac", where=TARGET, mend="Look up t_ij for g_i against g_j, not that of another pair.")
def target_is_that_of_the_other_alone(g: np.ndarray, state: Any, **options: Any) -> Any:
    """All gradients that meet g_j share its target."""
    return grad_vac(g, state, **options, pair=lambda i, j: (j, j))


@wrong("grad_vac", where=TARGET, mend="Update the target whether or not there was a lift.")
def target_moves_only_with_a_lift(g: np.ndarray, state: Any, **options: Any) -> Any:
    """Where the cosine reaches the target, it stays."""

    def mean(old: float, before: float, after: float, beta: float) -> float:
        return (1 - beta) * old + beta * before if before < old else old

    return grad_vac(g, state, **options, average=mean)


@wrong("grad_vac", where=TARGET, mend="Start from 0 and average: no cosine has the weight 1.")
def first_cosine_becomes_the_target(
    g: np.ndarray, state: Any, *, beta: float, orders: Orders | None
) -> Any:
    """After the first step the target is its cosine."""
    return grad_vac(g, state, beta=1.0 if state is None else beta, orders=orders)


@wrong("grad_vac", where=TARGET, mend="Return the targets as the state, and use those given.")
def targets_are_forgotten(g: np.ndarray, state: Any, **options: Any) -> Any:
    """Every step is a first one: PCGrad."""
    return grad_vac(g, None, **options)


@wrong("grad_vac", where=LIFT, mend="Lift only where the cosine is below the target.")
def lifts_or_lowers_to_the_target_always(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The cosine is made equal to the target from above too, as Table 1 of the Bloop paper has it.

    The condition is missing there.
    """
    return grad_vac(g, state, **options, raising=lambda x, y, t: x + lift(x, y, t) * y)


@wrong("grad_vac", where=LIFT, mend="Multiply w by the vector g_j before adding it.")
def a_number_is_added_to_the_gradient(g: np.ndarray, state: Any, **options: Any) -> Any:
    """w itself is added to every entry: Table 1 of the Bloop paper lacks the vector."""

    def raising(x: np.ndarray, y: np.ndarray, target: float) -> np.ndarray:
        return x + lift(x, y, target) if cosine(x, y) < target else x + 0 * y

    return grad_vac(g, state, **options, raising=raising)


@wrong("grad_vac", where="d = sum_i g_i'", mend="Add the altered gradients of all losses.")
def direction_is_the_altered_main_gradient(g: np.ndarray, state: Any, **options: Any) -> Any:
    """Only m' is returned, as in Table 1 of the Bloop paper."""
    _, targets = grad_vac(g, state, **options)
    alone, _ = grad_vac(g, state, **{**options, "orders": _main_only(options["orders"], len(g))})
    return alone - g[1:].sum(axis=0), targets


def _main_only(orders: Orders | None, losses: int) -> Orders:
    """Return orders in which the main gradient alone meets others."""
    return [ascending(orders, losses)[0], *([] for _ in range(losses - 1))]


@wrong("grad_vac", where="d = sum_i g_i'", mend="Alter the auxiliary gradients too.")
def only_the_main_gradient_is_altered(g: np.ndarray, state: Any, **options: Any) -> Any:
    """The direction is m' + a."""
    return grad_vac(g, state, **{**options, "orders": _main_only(options["orders"], len(g))})


@wrong("grad_vac", where=LIFT, mend="Divide by ||g_j|| in w, and multiply by ||g||.")
def norms_are_left_out(g: np.ndarray, state: Any, **options: Any) -> Any:
    """w lacks the factor ||g|| / ||g_j||."""

    def raising(x: np.ndarray, y: np.ndarray, target: float) -> np.ndarray:
        w = lift(x, y, target) * ratio(norm(y), norm(x))
        return np.asarray(x + w * y if cosine(x, y) < target else x + 0 * y)

    return grad_vac(g, state, **options, raising=raising)


@wrong("grad_vac", where=LIFT, mend="Take the roots: sqrt(1 - c^2) and sqrt(1 - t^2).")
def roots_are_left_out(g: np.ndarray, state: Any, **options: Any) -> Any:
    """w has 1 - c^2 and 1 - t^2 in the places of their roots."""

    def raising(x: np.ndarray, y: np.ndarray, target: float) -> np.ndarray:
        c = cosine(x, y)
        lifted = target * (1 - c * c) - c * (1 - target * target)
        w = ratio(norm(x) * lifted, norm(y) * (1 - target * target))
        return np.asarray(x + w * y if c < target else x + 0 * y)

    return grad_vac(g, state, **options, raising=raising)


@wrong("grad_vac", where=LIFT, mend="Lift to the target, not only to a cosine of 0.")
def lifts_to_zero_only(g: np.ndarray, state: Any, **options: Any) -> Any:
    """What is below the target is projected, as in PCGrad."""

    def raising(x: np.ndarray, y: np.ndarray, target: float) -> np.ndarray:
        return off(x, y) if cosine(x, y) < target else x + 0 * y

    return grad_vac(g, state, **options, raising=raising)


@wrong("grad_vac", where=LIFT, mend="Add no constant to the norms: zero gradients have cosine 0.")
def epsilon_in_the_norms(g: np.ndarray, state: Any, **options: Any) -> Any:
    """Both norms of the lift get 1e-8 more."""

    def raising(x: np.ndarray, y: np.ndarray, t: float) -> np.ndarray:
        c = float(x @ y / (norm(x) * norm(y) + 1e-8))
        lifted = t * np.sqrt(positive(1 - c * c)) - c * np.sqrt(1 - t * t)
        w = norm(x) * lifted / (norm(y) * np.sqrt(1 - t * t) + 1e-8)
        return np.asarray(x + w * y) if not c >= t else x

    return grad_vac(g, state, **options, raising=raising)
