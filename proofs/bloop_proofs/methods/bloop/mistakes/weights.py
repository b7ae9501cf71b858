"""Mistakes in lam and in the length of the direction."""

from bloop_proofs.methods.bloop.mistakes.wrong import listed

FORMULAS = listed(
    """
at eq. 5, the weight lam
lam-is-missing: The direction is g + pi(a; e).
    d = first + kept
    -> Multiply the projected auxiliary gradient by lam.
lam-weighs-the-main-gradient: The direction is lam g + pi(a; e).
    d = lam first + kept
    -> Multiply the projected gradient by lam, not g_main.
lam-weighs-both-gradients: The direction is lam (g + pi(a; e)).
    first = lam first
    -> Multiply the projection only: g_main has the weight 1.
lam-enters-twice: The direction is g + lam^2 pi(a; e).
    kept = lam kept
    -> Multiply by lam once.
lam-misses-the-part-along-the-ema: The direction is g + lam a - <a, e> / ||e||^2 e.
    d = first + lam a - c v
    -> Put parentheses around the projection: lam weighs all of it.
lam-misses-the-auxiliary-gradient: The direction is g + a - lam <a, e> / ||e||^2 e.
    d = first + a - lam c v
    -> Put parentheses around the projection: lam weighs all of it.
lam-squared-weighs-the-part-along-the-ema
    The direction is g + lam a - lam^2 <a, e> / ||e||^2 e.
    d = first + lam a - lam^2 c v
    -> Project g_aux, or lam * g_aux, but weigh it once.
at eq. 5, the length of d
direction-is-divided-by-one-plus-lam: The direction is (g + lam pi(a; e)) / (1 + lam).
    d = d / (1 + lam)
    -> Leave d as it is; scale the learning rate by 1 / (1 + lam) if you must.
direction-is-multiplied-by-one-plus-lam: The direction is (1 + lam) (g + lam pi(a; e)).
    d = (1 + lam) d
    -> Leave d as it is: its norm is no part of the method.
at eq. 5, the weights
weights-add-up-to-one: The direction is (1 - lam) g + lam pi(a; e).
    first = (1 - lam) first
    -> Give g_main the weight 1, not 1 - lam.
direction-is-a-mean: The direction is (g + lam pi(a; e)) / 2.
    d = d / 2
    -> Add the two terms instead of averaging them.
at eq. 5, the weight lam
lam-is-capped-at-one: The weight is min(lam, 1).
    d = first + min(lam, 1) kept
    -> Use lam as it is, above 1 too.
lam-enters-as-its-root: The direction is g + sqrt(lam) pi(a; e).
    d = first + sqrt(lam) kept
    -> Use lam itself, not its root.
at eq. 5, the length of d
direction-is-negated: The direction is -(g + lam pi(a; e)), an update instead of a gradient.
    d = 0 - d
    -> Return the gradient; the optimiser subtracts it.
direction-is-a-unit-vector
    d = d / ||d||
    -> Leave the direction's norm alone.
direction-is-clipped
    d = d min(1, 1 / ||d||)
    -> Leave the direction's norm alone; clip in the optimiser.
direction-gets-the-length-of-the-main-gradient
    d = d ||g|| / ||d||
    -> Leave the direction's norm alone.
at eq. 5, pi(g_aux; e)
projection-is-stretched-back: The direction is g + lam pi(a; e) ||a|| / ||pi(a; e)||.
    kept = kept ||a|| / ||kept||
    -> Leave the projected gradient as short as it is.
auxiliary-gradient-gets-the-length-of-the-main: The direction is g + lam pi(a; e) ||g|| / ||a||.
    kept = kept ||g|| / ||a||
    -> Use g_aux as it is; lam sets its weight.
auxiliary-gradient-is-a-unit-vector: The direction is g + lam pi(a; e) / ||a||.
    kept = kept / ||a||
    -> Use g_aux as it is, not as a unit vector.
at eq. 5, both terms
gradients-are-unit-vectors: The direction is g / ||g|| + lam pi(a; e) / ||a||.
    first = first / ||g||
    kept = kept / ||a||
    -> Use both gradients as they are.
at eq. 5, the weight lam
lam-is-a-constant: The direction is g + 0.1 pi(a; e), whatever lam is.
    lam = {0.1}
    -> Use the lam that is given.
lam-is-capped-at-100: The weight is min(lam, 100).
    lam = min(lam, {100})
    -> Use lam as it is, however large.
at eq. 5, the length of d
direction-is-multiplied-by-a-constant: The direction is 2 (g + lam pi(a; e)).
    d = {2} d
    -> Leave d as it is; the learning rate scales it.
    """
)
