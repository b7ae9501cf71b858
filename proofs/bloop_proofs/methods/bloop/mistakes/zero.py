"""Mistakes where the EMA is zero, as at the first step."""

from bloop_proofs.methods.bloop.mistakes.wrong import listed

FORMULAS = listed(
    """
at Algorithm 1, the first step
zero-ema-is-replaced-by-the-main-gradient
    Where e = 0 the EMA is set to g before anything is done with it.
    e = e if ||e|| else g
    -> Start from zeros: first the direction is g_main + lam * g_aux, the EMA rho * g_main.
at Algorithm 1, the EMA's update where it is zero
zero-ema-becomes-the-whole-gradient: Where e = 0 the new EMA is g, not rho g.
    ema = ema if ||e|| else g
    -> Start from zeros and weigh the first gradient by rho too.
at section 3.1, footnote 1
zero-ema-means-the-main-gradient: Where e = 0 the projection is on g.
    v = v if ||v|| else g
    -> Return g_main + lam * g_aux where the EMA is zero: pi(u; 0) = u.
zero-ema-drops-the-auxiliary-gradient: Where e = 0 the direction is g.
    kept = kept if ||v|| else 0 a
    -> Return g_main + lam * g_aux where the EMA is zero: pi(u; 0) = u.
zero-ema-gives-nan: Where e = 0 the direction is 0 / 0.
    quotient(top, bottom) = unguarded(top; bottom)
    -> Take the coefficient as 0 where ||ema||^2 is 0: pi(u; 0) = u.
    """
)
