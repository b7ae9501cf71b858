"""Mistakes in the new EMA: what weights it has, and what it averages."""

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.mistakes.mistake import wrong_average
from bloop_proofs.mistakes.pieces import Now, average, direction, norm, pi, ratio, total

LAST_LINE = "Algorithm 1, the EMA's update"


@wrong_average(
    where=LAST_LINE, mend="Give the new gradient the weight rho: (1 - rho) * ema + rho * g_main."
)
def rho_and_its_complement_are_swapped(s: Now) -> Gradient:
    """The new EMA is rho e + (1 - rho) g, as in libraries whose beta weighs the old value."""
    return total((s.rho, s.e), (1 - s.rho, s.g))


@wrong_average(where=LAST_LINE, mend="Return (1 - rho) * ema + rho * g_main as the new EMA.")
def ema_is_never_updated(s: Now) -> Gradient:
    """The EMA is returned as it came."""
    return total((1, s.e))


@wrong_average(where=LAST_LINE, mend="Average g_main, not the direction.")
def ema_averages_the_direction(s: Now) -> Gradient:
    """The new EMA is (1 - rho) e + rho d."""
    return total((1 - s.rho, s.e), (s.rho, direction(s)))


@wrong_average(where=LAST_LINE, mend="Average g_main alone; keep lam * g_aux out of the EMA.")
def ema_averages_the_sum_of_the_gradients(s: Now) -> Gradient:
    """The new EMA is (1 - rho) e + rho (g + lam a)."""
    return total((1 - s.rho, s.e), (s.rho, s.g), (s.rho * s.lam, s.a))


@wrong_average(where=LAST_LINE, mend="Average g_main, not g_aux.")
def ema_averages_the_auxiliary_gradient(s: Now) -> Gradient:
    """The new EMA is (1 - rho) e + rho a."""
    return total((1 - s.rho, s.e), (s.rho, s.a))


@wrong_average(where=LAST_LINE, mend="Multiply the new gradient by rho.")
def ema_has_no_dampening(s: Now) -> Gradient:
    """The new EMA is (1 - rho) e + g, a momentum buffer."""
    return total((1 - s.rho, s.e), (1, s.g))


@wrong_average(where=LAST_LINE, mend="Multiply the old EMA by 1 - rho.")
def ema_never_decays(s: Now) -> Gradient:
    """The new EMA is e + rho g, a sum that grows."""
    return total((1, s.e), (s.rho, s.g))


@wrong_average(where=LAST_LINE, mend="Average all gradients: (1 - rho) * ema + rho * g_main.")
def ema_is_the_last_gradient(s: Now) -> Gradient:
    """The new EMA is g, whatever rho is."""
    return total((1, s.g))


@wrong_average(where=LAST_LINE, mend="Keep the EMA as it is; the projection ignores its scale.")
def ema_is_stored_with_its_bias_corrected(s: Now) -> Gradient:
    """The new EMA is divided by 1 - (1 - rho), as Adam does at its first step."""
    return total((ratio(1, s.rho), average(s)))


@wrong_average(where=LAST_LINE, mend="Update the EMA once per step.")
def ema_is_updated_twice(s: Now) -> Gradient:
    """The new gradient enters the EMA twice in one step."""
    return total((1 - s.rho, average(s)), (s.rho, s.g))


@wrong_average(where=LAST_LINE, mend="Average g_main itself, not g_main / ||g_main||.")
def ema_averages_unit_gradients(s: Now) -> Gradient:
    """The new EMA is (1 - rho) e + rho g / ||g||."""
    return total((1 - s.rho, s.e), (ratio(s.rho, norm(s.g)), s.g))


@wrong_average(where=LAST_LINE, mend="Average g_main as it is; clip the direction, if at all.")
def ema_averages_clipped_gradients(s: Now) -> Gradient:
    """The new EMA is (1 - rho) e + rho g min(1, 1 / ||g||)."""
    return total((1 - s.rho, s.e), (s.rho / max(1.0, norm(s.g)), s.g))


@wrong_average(where=LAST_LINE, mend="Average g_main whole; project g_aux, and nothing else.")
def ema_averages_what_the_auxiliary_gradient_leaves(s: Now) -> Gradient:
    """The new EMA is (1 - rho) e + rho pi(g; a)."""
    return total((1 - s.rho, s.e), (s.rho, pi(s.g, s.a)))


@wrong_average(where=LAST_LINE, mend="Average the gradients, not their squares.")
def ema_averages_squares(s: Now) -> Gradient:
    """The new EMA is (1 - rho) e + rho g^2 entry by entry, Adam's second moment."""
    return total((1 - s.rho, s.e), (s.rho, [np.square(x) for x in s.g]))
