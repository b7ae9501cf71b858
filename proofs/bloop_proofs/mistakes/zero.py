"""Mistakes where the EMA is zero, as at the first step."""

from bloop_proofs.cases import Gradient
from bloop_proofs.mistakes.mistake import wrong_average, wrong_direction, wrong_step
from bloop_proofs.mistakes.pieces import (
    Now,
    Pair,
    average,
    direction,
    like,
    norm,
    pi,
    share,
    subtracting,
    total,
)

FOOTNOTE = "section 3.1, footnote 1"


@wrong_average(
    where="Algorithm 1, the EMA's update where it is zero",
    mend="Start from zeros and weigh the first gradient by rho too.",
)
def zero_ema_becomes_the_whole_gradient(s: Now) -> Gradient:
    """Where e = 0 the new EMA is g, not rho g."""
    return average(s) if norm(s.e) else total((1, s.g))


@wrong_direction(
    where=FOOTNOTE,
    mend="Return g_main + lam * g_aux where the EMA is zero: pi(u; 0) = u.",
)
def zero_ema_means_the_main_gradient(s: Now) -> Gradient:
    """Where e = 0 the projection is on g."""
    return total((1, s.g), (s.lam, pi(s.a, s.e if norm(s.e) else s.g)))


@wrong_direction(
    where=FOOTNOTE,
    mend="Return g_main + lam * g_aux where the EMA is zero: pi(u; 0) = u.",
)
def zero_ema_drops_the_auxiliary_gradient(s: Now) -> Gradient:
    """Where e = 0 the direction is g."""
    return total((1, s.g), (s.lam if norm(s.e) else 0.0, pi(s.a, s.e)))


@wrong_direction(
    where=FOOTNOTE,
    mend="Take the coefficient as 0 where ||ema||^2 is 0: pi(u; 0) = u.",
)
def zero_ema_gives_nan(s: Now) -> Gradient:
    """Where e = 0 the direction is 0 / 0."""
    return subtracting(share(s.a, s.e) if norm(s.e) else float("nan"), s)


@wrong_step(
    group="equations",
    where="Algorithm 1, the first step",
    mend="Start from zeros: first the direction is g_main + lam * g_aux, the EMA rho * g_main.",
)
def zero_ema_is_replaced_by_the_main_gradient(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """Where e = 0 the EMA is set to g before anything is done with it."""
    s = Now(g_main, g_aux, ema if norm(ema) else g_main, lam, rho)
    return like(direction(s), g_main), like(average(s), ema)
