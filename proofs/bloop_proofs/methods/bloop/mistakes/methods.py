"""Other methods taken for Bloop: conditions on the sign, and other ways to combine gradients."""

from bloop_proofs.methods.bloop.mistakes.wrong import listed

FORMULAS = listed(
    """
at eq. 5, pi(g_aux; e)
projects-only-in-conflict: The part along e is removed only where <a, e> < 0.
    gate(c) = min(0, c)
    -> Project always, not only where the gradients conflict (PCGrad does so).
projects-only-in-agreement: The part along e is removed only where <a, e> > 0.
    gate(c) = max(0, c)
    -> Project always, in conflict too.
projects-only-if-the-batch-conflicts: The part along e is removed only where <a, g> < 0.
    kept = kept if <a, g> < 0 else a
    -> Project always, whatever the sign of <g_aux, g_main>.
drops-the-auxiliary-gradient-in-conflict: The direction is g where <a, e> < 0.
    kept = kept if <a, v> >= 0 else 0 a
    -> Add the projected gradient in conflict too.
weighs-by-the-cosine: The direction is g + lam max(0, cos(a, e)) a: cosine gating.
    kept = max(0, cos(a, v)) a
    -> Project g_aux instead of weighing it by its cosine.
at eq. 5, both terms
projects-the-main-gradient-off-the-ema: The direction is pi(g; e) + lam a.
    first = pi(g; v)
    kept = a
    -> Project g_aux, and leave g_main as it is.
projects-the-main-gradient-off-the-auxiliary: The direction is pi(g; a) + lam a.
    first = pi(g; a)
    kept = a
    -> Exchange the roles: g_aux is projected, g_main is whole.
main-gradient-is-projected-off-the-auxiliary-too: The direction is pi(g; a) + lam pi(a; e).
    first = pi(g; a)
    -> Leave g_main whole: only g_aux is projected.
projects-the-sum
    d = pi(g + lam a; v)
    -> Project g_aux only; g_main stays whole.
projects-each-off-the-other
    In conflict the direction is pi(g; a) + lam pi(a; g), otherwise g + lam a: PCGrad.
    first = g if <g, a> >= 0 else pi(g; a)
    kept = a if <g, a> >= 0 else pi(a; g)
    -> Project g_aux on the EMA only, always.
protects-the-auxiliary-loss: In conflict the direction is pi(g; a), otherwise g: A-GEM.
    first = pi(g; a) if <g, a> < 0 else g
    kept = 0 a
    -> Project g_aux on the EMA, and add lam times it.
at eq. 5, the first term
raises-the-main-weight-to-a-barrier
    The direction is max(1 - lam <a, g> / ||g||^2, 0) g + lam a: dynamic barrier.
    first = max(1 - lam (<a, g> / ||g||^2), 0) g
    kept = a
    -> Give g_main the weight 1 and project g_aux on the EMA.
at eq. 5, pi(g_aux; e)
projects-on-batch-and-ema-in-turn
    kept = pi(kept; g)
    -> Project on the EMA alone.
projects-the-ema-off-the-auxiliary-gradient: The direction is g + lam pi(e; a).
    kept = pi(v; a)
    -> Project g_aux on the EMA, not the EMA on g_aux.
projects-on-an-average-with-the-auxiliary-gradient
    The projection is on (1 - rho) e + rho (g + lam a).
    v = e' + rho lam a
    -> Project on the EMA of g_main, kept apart from g_aux.
    """
)
