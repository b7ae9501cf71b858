"""Mistakes in the projection: its sign, its denominator, its inner product."""

from bloop_proofs.methods.bloop.mistakes.wrong import listed

FORMULAS = listed(
    """
at eq. 5, g_aux - <g_aux, e> / ||e||^2 e
auxiliary-gradient-is-not-projected: The direction is g + lam a: mixed training.
    direction = g + lam a
    -> Take the projection away from g_aux before weighing and adding it.
part-along-the-ema-is-added
    direction = g + lam (a + <a, e> / ||e||^2 e)
    -> Subtract the part along the EMA instead of adding it.
part-along-the-ema-is-kept
    direction = g + lam <a, e> / ||e||^2 e
    -> Keep what is left of g_aux, not what is along the EMA.
projection-has-the-opposite-sign
    direction = g - lam pi(a; e)
    -> Subtract the projection from g_aux, not g_aux from it.
at eq. 5, the coefficient <g_aux, e> / ||e||^2
divides-by-the-norm
    coefficient = <a, e> / ||e||
    -> Divide by the squared norm, ||ema||^2.
does-not-divide
    coefficient = <a, e>
    -> Divide the inner product by ||ema||^2.
divides-by-the-norm-cubed: The coefficient is <a, e / ||e||> / ||e||^2.
    coefficient = <a, e> / <e, e> / ||e||
    -> Either make the EMA a unit vector or divide by ||ema||^2, not both.
divides-by-the-fourth-power-of-the-norm
    coefficient = <a, e> / (||e||^2)^2
    -> Square the sum of the squares once: divide by ||ema||^2.
coefficient-is-the-cosine
    coefficient = <a, e> / (||a|| ||e||)
    -> Divide by ||ema||^2 instead of both norms.
divides-by-the-auxiliary-norm-squared
    coefficient = <a, e> / ||a||^2
    -> Divide by ||ema||^2, not by ||g_aux||^2.
divides-by-the-main-norm-squared
    coefficient = <a, e> / ||g||^2
    -> Divide by ||ema||^2, not by ||g_main||^2.
inner-product-is-with-the-main-gradient
    coefficient = <a, g> / ||e||^2
    -> Take the inner product with the EMA, not with g_main.
inner-product-is-of-the-main-gradient
    coefficient = <g, e> / ||e||^2
    -> Take the inner product of g_aux with the EMA.
at eq. 5, g_aux - <g_aux, e> / ||e||^2 e
multiple-of-the-main-gradient-is-subtracted
    direction = g + lam (a - <a, e> / ||e||^2 g)
    -> Subtract a multiple of the EMA, not of g_main.
at eq. 5, the coefficient <g_aux, e> / ||e||^2
inner-product-loses-its-sign: The coefficient is |<a, e>| / ||e||^2.
    coefficient = abs(<a, e> / ||e||^2)
    -> Keep the sign of the inner product.
coefficient-is-clipped: The coefficient is held between -1 and 1.
    coefficient = min(max(<a, e> / ||e||^2, -1), 1)
    -> Let the coefficient be what it is, without bounds.
numerator-is-a-mean: The coefficient is mean(a e) / sum(e e).
    coefficient = <a, e> / n / ||e||^2
    -> Sum the products in the numerator too.
denominator-is-a-mean: The coefficient is sum(a e) / mean(e e).
    coefficient = <a, e> / (||e||^2 / n)
    -> Sum the squares in the denominator too.
norm-is-the-largest-entry: The coefficient is <a, e> / max |e|^2.
    coefficient = <a, e> / max(abs(e))^2
    -> Use the 2-norm: the root of the sum of all squares.
norm-is-the-sum-of-magnitudes: The coefficient is <a, e> / (sum |e|)^2.
    coefficient = <a, e> / sum(abs(e))^2
    -> Use the 2-norm: the root of the sum of all squares.
    """
)
