"""Mistakes in the projection: its sign, its denominator, its inner product."""

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.mistakes.mistake import wrong_direction
from bloop_proofs.mistakes.pieces import Now, inner, norm, pi, ratio, share, subtracting, total

COEFFICIENT = "eq. 5, the coefficient <g_aux, e> / ||e||^2"
SUBTRACTION = "eq. 5, g_aux - <g_aux, e> / ||e||^2 e"


@wrong_direction(
    where=SUBTRACTION, mend="Take the projection away from g_aux before weighing and adding it."
)
def auxiliary_gradient_is_not_projected(s: Now) -> Gradient:
    """The direction is g + lam a: mixed training."""
    return total((1, s.g), (s.lam, s.a))


@wrong_direction(where=SUBTRACTION, mend="Subtract the part along the EMA instead of adding it.")
def part_along_the_ema_is_added(s: Now) -> Gradient:
    """The direction is g + lam (a + <a, e> / ||e||^2 e)."""
    return subtracting(-share(s.a, s.e), s)


@wrong_direction(where=SUBTRACTION, mend="Keep what is left of g_aux, not what is along the EMA.")
def part_along_the_ema_is_kept(s: Now) -> Gradient:
    """The direction is g + lam <a, e> / ||e||^2 e."""
    return total((1, s.g), (s.lam * share(s.a, s.e), s.e))


@wrong_direction(where=SUBTRACTION, mend="Subtract the projection from g_aux, not g_aux from it.")
def projection_has_the_opposite_sign(s: Now) -> Gradient:
    """The direction is g - lam pi(a; e)."""
    return total((1, s.g), (-s.lam, pi(s.a, s.e)))


@wrong_direction(where=COEFFICIENT, mend="Divide by the squared norm, ||ema||^2.")
def divides_by_the_norm(s: Now) -> Gradient:
    """The coefficient is <a, e> / ||e||."""
    return subtracting(ratio(inner(s.a, s.e), norm(s.e)), s)


@wrong_direction(where=COEFFICIENT, mend="Divide the inner product by ||ema||^2.")
def does_not_divide(s: Now) -> Gradient:
    """The coefficient is <a, e>."""
    return subtracting(inner(s.a, s.e), s)


@wrong_direction(
    where=COEFFICIENT, mend="Either make the EMA a unit vector or divide by ||ema||^2, not both."
)
def divides_by_the_norm_cubed(s: Now) -> Gradient:
    """The coefficient is <a, e / ||e||> / ||e||^2."""
    return subtracting(ratio(ratio(inner(s.a, s.e), inner(s.e, s.e)), norm(s.e)), s)


@wrong_direction(where=COEFFICIENT, mend="Square the sum of the squares once: divide by ||ema||^2.")
def divides_by_the_fourth_power_of_the_norm(s: Now) -> Gradient:
    """The coefficient is <a, e> / (||e||^2)^2."""
    return subtracting(ratio(ratio(inner(s.a, s.e), inner(s.e, s.e)), inner(s.e, s.e)), s)


@wrong_direction(where=COEFFICIENT, mend="Divide by ||ema||^2 instead of both norms.")
def coefficient_is_the_cosine(s: Now) -> Gradient:
    """The coefficient is <a, e> / (||a|| ||e||)."""
    return subtracting(ratio(inner(s.a, s.e), norm(s.a) * norm(s.e)), s)


@wrong_direction(where=COEFFICIENT, mend="Divide by ||ema||^2, not by ||g_aux||^2.")
def divides_by_the_auxiliary_norm_squared(s: Now) -> Gradient:
    """The coefficient is <a, e> / ||a||^2."""
    return subtracting(share(s.e, s.a), s)


@wrong_direction(where=COEFFICIENT, mend="Divide by ||ema||^2, not by ||g_main||^2.")
def divides_by_the_main_norm_squared(s: Now) -> Gradient:
    """The coefficient is <a, e> / ||g||^2."""
    return subtracting(ratio(inner(s.a, s.e), inner(s.g, s.g)), s)


@wrong_direction(where=COEFFICIENT, mend="Take the inner product with the EMA, not with g_main.")
def inner_product_is_with_the_main_gradient(s: Now) -> Gradient:
    """The coefficient is <a, g> / ||e||^2."""
    return subtracting(ratio(inner(s.a, s.g), inner(s.e, s.e)), s)


@wrong_direction(where=COEFFICIENT, mend="Take the inner product of g_aux with the EMA.")
def inner_product_is_of_the_main_gradient(s: Now) -> Gradient:
    """The coefficient is <g, e> / ||e||^2."""
    return subtracting(share(s.g, s.e), s)


@wrong_direction(where=SUBTRACTION, mend="Subtract a multiple of the EMA, not of g_main.")
def multiple_of_the_main_gradient_is_subtracted(s: Now) -> Gradient:
    """The direction is g + lam (a - <a, e> / ||e||^2 g)."""
    return total((1 - s.lam * share(s.a, s.e), s.g), (s.lam, s.a))


@wrong_direction(where=COEFFICIENT, mend="Keep the sign of the inner product.")
def inner_product_loses_its_sign(s: Now) -> Gradient:
    """The coefficient is |<a, e>| / ||e||^2."""
    return subtracting(abs(share(s.a, s.e)), s)


@wrong_direction(where=COEFFICIENT, mend="Let the coefficient be what it is, without bounds.")
def coefficient_is_clipped(s: Now) -> Gradient:
    """The coefficient is held between -1 and 1."""
    return subtracting(float(np.clip(share(s.a, s.e), -1, 1)), s)


@wrong_direction(where=COEFFICIENT, mend="Sum the products in the numerator too.")
def numerator_is_a_mean(s: Now) -> Gradient:
    """The coefficient is mean(a e) / sum(e e)."""
    return subtracting(share(s.a, s.e) / sum(x.size for x in s.e), s)


@wrong_direction(where=COEFFICIENT, mend="Sum the squares in the denominator too.")
def denominator_is_a_mean(s: Now) -> Gradient:
    """The coefficient is sum(a e) / mean(e e)."""
    return subtracting(share(s.a, s.e) * sum(x.size for x in s.e), s)


@wrong_direction(where=COEFFICIENT, mend="Use the 2-norm: the root of the sum of all squares.")
def norm_is_the_largest_entry(s: Now) -> Gradient:
    """The coefficient is <a, e> / max |e|^2."""
    peak = max((float(np.max(np.abs(x), initial=0)) for x in s.e), default=0.0)
    return subtracting(ratio(inner(s.a, s.e), peak * peak), s)


@wrong_direction(where=COEFFICIENT, mend="Use the 2-norm: the root of the sum of all squares.")
def norm_is_the_sum_of_magnitudes(s: Now) -> Gradient:
    """The coefficient is <a, e> / (sum |e|)^2."""
    size = float(sum(np.sum(np.abs(x)) for x in s.e))
    return subtracting(ratio(inner(s.a, s.e), size * size), s)
