"""Mistakes where the EMA is zero, as at the first step."""

from bloop_proofs.methods.bloop.mistakes.pieces import (
    Now,
    Pair,
    average,
    direction,
    like,
    norm,
)
from bloop_proofs.methods.bloop.mistakes.wrong import listed, wrong_step


@wrong_step(
    group="equations",
    where="Algorithm 1, the first step",
    mend="Start from zeros: first the direction is g_main + lam * g_aux, the EMA rho * g_main.",
)
def zero_ema_is_replaced_by_the_main_gradient(s: Now) -> Pair:
    """Where e = 0 the EMA is set to g before anything is done with it."""
    s = s.but(e=s.e if norm(s.e) else s.g)
    return like(direction(s), s.g), like(average(s), s.e)


FORMULAS = listed(
    """
at Algorithm 1, the EMA's update where it is zero
zero-ema-becomes-the-whole-gradient: Where e = 0 the new EMA is g, not rho g.
    ema = e' if ||e|| else g
    -> Start from zeros and weigh the first gradient by rho too.
at section 3.1, footnote 1
zero-ema-means-the-main-gradient: Where e = 0 the projection is on g.
    direction = g + lam pi(a; e if ||e|| else g)
    -> Return g_main + lam * g_aux where the EMA is zero: pi(u; 0) = u.
zero-ema-drops-the-auxiliary-gradient: Where e = 0 the direction is g.
    direction = g + (lam if ||e|| else 0) pi(a; e)
    -> Return g_main + lam * g_aux where the EMA is zero: pi(u; 0) = u.
zero-ema-gives-nan: Where e = 0 the direction is 0 / 0.
    coefficient = <a, e> / ||e||^2 if ||e|| else nan
    -> Take the coefficient as 0 where ||ema||^2 is 0: pi(u; 0) = u.
    """
)
