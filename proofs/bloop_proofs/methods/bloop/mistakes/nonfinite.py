"""Mistakes with NaN and infinity: hidden, or let in where they do not belong."""

from bloop_proofs.methods.bloop.mistakes.wrong import listed

FORMULAS = listed(
    """
at eq. 5: what is not finite in a gradient is not finite in d
bad-entries-of-the-auxiliary-gradient-become-zero: NaN and infinity in g_aux are replaced by 0.
    a = cleaned(a)
    -> Let NaN and infinity reach the direction, where the caller can see them.
bad-entries-of-the-main-gradient-become-zero
    NaN and infinity in g_main are replaced by 0 in the direction.
    first = cleaned(first)
    -> Let NaN and infinity reach the direction, where the caller can see them.
bad-entries-of-the-direction-become-zero: NaN and infinity in the direction are replaced by 0.
    d = cleaned(d)
    -> Let NaN and infinity reach the direction, where the caller can see them.
bad-entries-of-the-direction-become-large
    NaN in the direction becomes 0 and infinity the largest number: nan_to_num.
    d = nan_to_num(d, True, 0, top, -top)
    -> Let NaN and infinity reach the direction, where the caller can see them.
bad-auxiliary-gradient-is-dropped: The direction is g where g_aux is not finite.
    d = d if finite(a) else g
    -> Let NaN and infinity reach the direction, where the caller can see them.
bad-gradients-give-a-zero-direction: The direction is 0 where a gradient is not finite.
    d = d if finite(g) and finite(a) else zero
    -> Let NaN and infinity reach the direction, where the caller can see them.
bad-main-gradient-is-replaced-by-the-ema: The first term is e where g_main is not finite.
    first = first if finite(g) else e
    -> Let NaN and infinity reach the direction, where the caller can see them.
at Algorithm 1: g_aux is not in the EMA's update
bad-auxiliary-gradient-stops-the-ema: The EMA stays what it was where the direction is not finite.
    ema = ema if finite(d) else e
    -> Update the EMA by g_main alone, whatever is in g_aux.
bad-auxiliary-gradient-enters-the-ema
    The EMA's update is masked by 0 * g_aux, which is NaN where g_aux is not finite.
    ema = ema + 0 a
    -> Update the EMA by g_main alone, whatever is in g_aux.
bad-auxiliary-gradient-resets-the-ema: The new EMA is 0 where the direction is not finite.
    ema = ema if finite(d) else zero
    -> Update the EMA by g_main alone, whatever is in g_aux.
    """,
    group="numerics",
)
