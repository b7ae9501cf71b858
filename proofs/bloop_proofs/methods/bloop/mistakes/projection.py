"""Mistakes in the projection: its sign, its denominator, its inner product."""

from bloop_proofs.methods.bloop.mistakes.wrong import listed

FORMULAS = listed(
    """
at eq. 5, g_aux - <g_aux, e> / ||e||^2 e
auxiliary-gradient-is-not-projected: The direction is g + lam a: mixed training.
    kept = a
    -> Take the projection away from g_aux before weighing and adding it.
part-along-the-ema-is-added: The direction is g + lam (a + <a, e> / ||e||^2 e).
    kept = a + c v
    -> Subtract the part along the EMA instead of adding it.
part-along-the-ema-is-kept: The direction is g + lam <a, e> / ||e||^2 e.
    kept = c v
    -> Keep what is left of g_aux, not what is along the EMA.
projection-has-the-opposite-sign: The direction is g - lam pi(a; e).
    kept = 0 - kept
    -> Subtract the projection from g_aux, not g_aux from it.
at eq. 5, the coefficient <g_aux, e> / ||e||^2
divides-by-the-norm
    square(x, y) = ||y||
    -> Divide by the squared norm, ||ema||^2.
does-not-divide: The coefficient is <a, e>.
    square(x, y) = 1
    -> Divide the inner product by ||ema||^2.
divides-by-the-norm-cubed: The coefficient is <a, e / ||e||> / ||e||^2.
    square(x, y) = ||y||^3
    -> Either make the EMA a unit vector or divide by ||ema||^2, not both.
divides-by-the-fourth-power-of-the-norm
    square(x, y) = (||y||^2)^2
    -> Square the sum of the squares once: divide by ||ema||^2.
coefficient-is-the-cosine
    square(x, y) = (||x|| ||y||)
    -> Divide by ||ema||^2 instead of both norms.
divides-by-the-auxiliary-norm-squared
    square(x, y) = ||x||^2
    -> Divide by ||ema||^2, not by ||g_aux||^2.
divides-by-the-main-norm-squared
    square(x, y) = ||g||^2
    -> Divide by ||ema||^2, not by ||g_main||^2.
inner-product-is-with-the-main-gradient: The coefficient is <a, g> / ||e||^2.
    along(x, y) = <x, g>
    -> Take the inner product with the EMA, not with g_main.
inner-product-is-of-the-main-gradient: The coefficient is <g, e> / ||e||^2.
    along(x, y) = <g, y>
    -> Take the inner product of g_aux with the EMA.
at eq. 5, the first term
projection-is-added-to-the-summed-gradient
    The direction is g + a + lam pi(a; e), on top of the gradient of the summed losses.
    first = g + a
    -> Add lam pi(a; e) to g_main alone, or take lam times the part along the EMA out of the sum.
projection-is-added-to-the-weighted-sum
    The direction is g + lam a + lam pi(a; e), on top of the gradient of L_main + lam L_aux.
    first = g + lam a
    -> Add lam pi(a; e) to g_main alone, or take lam times the part along the EMA out of the sum.
at eq. 5, g_aux - <g_aux, e> / ||e||^2 e
multiple-of-the-main-gradient-is-subtracted
    The direction is g + lam (a - <a, e> / ||e||^2 g).
    kept = a - c g
    -> Subtract a multiple of the EMA, not of g_main.
at eq. 5, the coefficient <g_aux, e> / ||e||^2
inner-product-loses-its-sign: The coefficient is |<a, e>| / ||e||^2.
    gate(c) = abs(gate(c))
    -> Keep the sign of the inner product.
coefficient-is-clipped: The coefficient is held between -1 and 1.
    gate(c) = min(max(gate(c), -1), 1)
    -> Let the coefficient be what it is, without bounds.
numerator-is-a-mean: The coefficient is mean(a e) / sum(e e).
    along(x, y) = along(x; y) / n
    -> Sum the products in the numerator too.
denominator-is-a-mean: The coefficient is sum(a e) / mean(e e).
    square(x, y) = square(x; y) / n
    -> Sum the squares in the denominator too.
norm-is-the-largest-entry: The coefficient is <a, e> / max |e|^2.
    square(x, y) = max(abs(y))^2
    -> Use the 2-norm: the root of the sum of all squares.
norm-is-the-sum-of-magnitudes: The coefficient is <a, e> / (sum |e|)^2.
    square(x, y) = sum(abs(y))^2
    -> Use the 2-norm: the root of the sum of all squares.
coefficient-is-multiplied-by-a-constant: The coefficient is 2 <a, e> / ||e||^2.
    gate(c) = {2} gate(c)
    -> Subtract the whole part along the EMA, once.
    """
)
