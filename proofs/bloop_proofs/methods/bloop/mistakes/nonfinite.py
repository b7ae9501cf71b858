"""Mistakes with NaN and infinity: hidden, or let in where they do not belong."""

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.methods.bloop.mistakes.pieces import Now, average, direction, total
from bloop_proofs.methods.bloop.mistakes.wrong import wrong_average, wrong_direction

SEEN = "eq. 5: what is not finite in a gradient is not finite in d"
SHOW = "Let NaN and infinity reach the direction, where the caller can see them."
STATE = "Algorithm 1: g_aux is not in the EMA's update"


def finite(gradient: Gradient) -> bool:
    """Whether every entry is finite."""
    return all(bool(np.all(np.isfinite(x))) for x in gradient)


def cleaned(gradient: Gradient) -> Gradient:
    """Return a gradient with zeros for what is not finite."""
    return [np.where(np.isfinite(x), x, 0).astype(x.dtype) for x in gradient]


@wrong_direction(where=SEEN, mend=SHOW, group="numerics")
def bad_entries_of_the_auxiliary_gradient_become_zero(s: Now) -> Gradient:
    """NaN and infinity in g_aux are replaced by 0."""
    return direction(s.but(a=cleaned(s.a)))


@wrong_direction(where=SEEN, mend=SHOW, group="numerics")
def bad_entries_of_the_main_gradient_become_zero(s: Now) -> Gradient:
    """NaN and infinity in g_main are replaced by 0 in the direction."""
    return direction(s.but(g=cleaned(s.g)))


@wrong_direction(where=SEEN, mend=SHOW, group="numerics")
def bad_entries_of_the_direction_become_zero(s: Now) -> Gradient:
    """NaN and infinity in the direction are replaced by 0."""
    return cleaned(direction(s))


@wrong_direction(where=SEEN, mend=SHOW, group="numerics")
def bad_entries_of_the_direction_become_large(s: Now) -> Gradient:
    """NaN in the direction becomes 0 and infinity the largest number: nan_to_num."""
    return [
        np.nan_to_num(x, posinf=top, neginf=-top)
        for x, top in zip(direction(s), (float(np.finfo(g.dtype).max) for g in s.g), strict=True)
    ]


@wrong_direction(where=SEEN, mend=SHOW, group="numerics")
def bad_auxiliary_gradient_is_dropped(s: Now) -> Gradient:
    """The direction is g where g_aux is not finite."""
    return direction(s) if finite(s.a) else total((1, s.g))


@wrong_direction(where=SEEN, mend=SHOW, group="numerics")
def bad_gradients_give_a_zero_direction(s: Now) -> Gradient:
    """The direction is 0 where a gradient is not finite."""
    return direction(s) if finite(s.g + s.a) else [np.zeros(x.shape) for x in s.g]


@wrong_direction(where=SEEN, mend=SHOW, group="numerics")
def bad_main_gradient_is_replaced_by_the_ema(s: Now) -> Gradient:
    """The first term is e where g_main is not finite."""
    return direction(s if finite(s.g) else s.but(g=s.e))


@wrong_average(
    where=STATE, mend="Update the EMA by g_main alone, whatever is in g_aux.", group="numerics"
)
def bad_auxiliary_gradient_stops_the_ema(s: Now) -> Gradient:
    """The EMA stays what it was where the direction is not finite."""
    return average(s) if finite(direction(s)) else total((1, s.e))


@wrong_average(
    where=STATE, mend="Update the EMA by g_main alone, whatever is in g_aux.", group="numerics"
)
def bad_auxiliary_gradient_enters_the_ema(s: Now) -> Gradient:
    """The EMA's update is masked by 0 * g_aux, which is NaN where g_aux is not finite."""
    return total((1, average(s)), (0.0, s.a))


@wrong_average(
    where=STATE, mend="Update the EMA by g_main alone, whatever is in g_aux.", group="numerics"
)
def bad_auxiliary_gradient_resets_the_ema(s: Now) -> Gradient:
    """The new EMA is 0 where the direction is not finite."""
    return average(s) if finite(direction(s)) else [np.zeros(x.shape) for x in s.e]
