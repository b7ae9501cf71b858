"""Mistakes in what the direction is made of: which gradient comes first, which is projected on."""

from bloop_proofs.methods.bloop.mistakes.wrong import listed

FORMULAS = listed(
    """
at Algorithm 1, order of the lines
ema-is-updated-before-the-projection
    The projection uses the EMA that this batch has already entered.
    v = e'
    -> Compute the direction with the EMA of the gradients before, and update it afterwards.
at eq. 5, the first term
ema-replaces-the-main-gradient
    first = e
    -> Start the direction with this batch's g_main, not the EMA.
at eq. 5, the first term, and Algorithm 1, order of the lines
updated-ema-replaces-the-main-gradient
    The direction is e' + lam pi(a; e'), e' the updated EMA: momentum SGD with a projection.
    first = e'
    v = e'
    -> Start with g_main, project with the EMA from before, and update that afterwards.
at protocol: g_main comes first
roles-are-exchanged: g_aux is taken for g_main, and g_main for g_aux.
    g = g_aux
    a = g_main
    -> The main gradient comes first: it is kept whole and averaged, and the other is projected.
at eq. 5, both terms
roles-are-exchanged-in-the-direction: The direction is a + lam pi(g; e); the EMA is right.
    first = a
    kept = pi(g; v)
    -> The direction begins with g_main; g_aux is projected.
at eq. 5, the vector projected on
projects-on-the-raw-main-gradient: The direction is eq. 3's, g + lam pi(a; g), in every mini-batch.
    v = g
    -> Project g_aux on the EMA, not on this batch's g_main.
projects-on-a-look-ahead: The projection is on e + rho g, as Nesterov's momentum looks ahead.
    v = v + rho g
    -> Project on the EMA as it is, without looking ahead.
    """
)
