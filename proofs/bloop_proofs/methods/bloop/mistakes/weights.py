"""Mistakes in lam and in the length of the direction."""

from bloop_proofs.methods.bloop.mistakes.wrong import listed

FORMULAS = listed(
    """
at eq. 5, the weight lam
lam-is-missing
    direction = g + pi(a; e)
    -> Multiply the projected auxiliary gradient by lam.
lam-weighs-the-main-gradient
    direction = lam g + pi(a; e)
    -> Multiply the projected gradient by lam, not g_main.
lam-weighs-both-gradients
    direction = lam (g + pi(a; e))
    -> Multiply the projection only: g_main has the weight 1.
lam-enters-twice
    direction = g + lam^2 pi(a; e)
    -> Multiply by lam once.
lam-misses-the-part-along-the-ema
    direction = g + lam a - <a, e> / ||e||^2 e
    -> Put parentheses around the projection: lam weighs all of it.
lam-misses-the-auxiliary-gradient
    direction = g + a - lam <a, e> / ||e||^2 e
    -> Put parentheses around the projection: lam weighs all of it.
lam-squared-weighs-the-part-along-the-ema
    direction = g + lam a - lam^2 <a, e> / ||e||^2 e
    -> Project g_aux, or lam * g_aux, but weigh it once.
at eq. 5, the length of d
direction-is-divided-by-one-plus-lam
    direction = (g + lam pi(a; e)) / (1 + lam)
    -> Leave d as it is; scale the learning rate by 1 / (1 + lam) if you must.
at eq. 5, the weights
weights-add-up-to-one
    direction = (1 - lam) g + lam pi(a; e)
    -> Give g_main the weight 1, not 1 - lam.
direction-is-a-mean
    direction = (g + lam pi(a; e)) / 2
    -> Add the two terms instead of averaging them.
at eq. 5, the weight lam
lam-is-capped-at-one: The weight is min(lam, 1).
    direction = g + min(lam, 1) pi(a; e)
    -> Use lam as it is, above 1 too.
lam-enters-as-its-root
    direction = g + sqrt(lam) pi(a; e)
    -> Use lam itself, not its root.
at eq. 5, the length of d
direction-is-negated: The direction is -(g + lam pi(a; e)), an update instead of a gradient.
    direction = -d
    -> Return the gradient; the optimiser subtracts it.
direction-is-a-unit-vector
    direction = d / ||d||
    -> Leave the direction's norm alone.
direction-is-clipped
    direction = d min(1, 1 / ||d||)
    -> Leave the direction's norm alone; clip in the optimiser.
direction-gets-the-length-of-the-main-gradient
    direction = d ||g|| / ||d||
    -> Leave the direction's norm alone.
at eq. 5, pi(g_aux; e)
projection-is-stretched-back
    direction = g + lam pi(a; e) ||a|| / ||pi(a; e)||
    -> Leave the projected gradient as short as it is.
auxiliary-gradient-gets-the-length-of-the-main
    direction = g + lam pi(a; e) ||g|| / ||a||
    -> Use g_aux as it is; lam sets its weight.
auxiliary-gradient-is-a-unit-vector
    direction = g + lam pi(a; e) / ||a||
    -> Use g_aux as it is, not as a unit vector.
at eq. 5, both terms
gradients-are-unit-vectors
    direction = g / ||g|| + lam pi(a; e) / ||a||
    -> Use both gradients as they are.
    """
)
