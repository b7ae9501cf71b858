"""Mistakes in lam and in the length of the direction."""

from bloop_proofs.cases import Gradient
from bloop_proofs.mistakes.mistake import wrong_direction
from bloop_proofs.mistakes.pieces import Now, direction, norm, pi, ratio, share, total

WEIGHT = "eq. 5, the weight lam"
LENGTH = "eq. 5, the length of d"


@wrong_direction(where=WEIGHT, mend="Multiply the projected auxiliary gradient by lam.")
def lam_is_missing(s: Now) -> Gradient:
    """The direction is g + pi(a; e)."""
    return total((1, s.g), (1, pi(s.a, s.e)))


@wrong_direction(where=WEIGHT, mend="Multiply the projected gradient by lam, not g_main.")
def lam_weighs_the_main_gradient(s: Now) -> Gradient:
    """The direction is lam g + pi(a; e)."""
    return total((s.lam, s.g), (1, pi(s.a, s.e)))


@wrong_direction(where=WEIGHT, mend="Multiply the projection only: g_main has the weight 1.")
def lam_weighs_both_gradients(s: Now) -> Gradient:
    """The direction is lam (g + pi(a; e))."""
    return total((s.lam, s.g), (s.lam, pi(s.a, s.e)))


@wrong_direction(where=WEIGHT, mend="Multiply by lam once.")
def lam_enters_twice(s: Now) -> Gradient:
    """The direction is g + lam^2 pi(a; e)."""
    return total((1, s.g), (s.lam**2, pi(s.a, s.e)))


@wrong_direction(where=WEIGHT, mend="Put parentheses around the projection: lam weighs all of it.")
def lam_misses_the_part_along_the_ema(s: Now) -> Gradient:
    """The direction is g + lam a - <a, e> / ||e||^2 e."""
    return total((1, s.g), (s.lam, s.a), (-share(s.a, s.e), s.e))


@wrong_direction(where=WEIGHT, mend="Put parentheses around the projection: lam weighs all of it.")
def lam_misses_the_auxiliary_gradient(s: Now) -> Gradient:
    """The direction is g + a - lam <a, e> / ||e||^2 e."""
    return total((1, s.g), (1, s.a), (-s.lam * share(s.a, s.e), s.e))


@wrong_direction(where=WEIGHT, mend="Project g_aux, or lam * g_aux, but weigh it once.")
def lam_squared_weighs_the_part_along_the_ema(s: Now) -> Gradient:
    """The direction is g + lam a - lam^2 <a, e> / ||e||^2 e."""
    return total((1, s.g), (s.lam, s.a), (-(s.lam**2) * share(s.a, s.e), s.e))


@wrong_direction(
    where=LENGTH, mend="Leave d as it is; scale the learning rate by 1 / (1 + lam) if you must."
)
def direction_is_divided_by_one_plus_lam(s: Now) -> Gradient:
    """The direction is (g + lam pi(a; e)) / (1 + lam)."""
    return total((1 / (1 + s.lam), direction(s)))


@wrong_direction(where="eq. 5, the weights", mend="Give g_main the weight 1, not 1 - lam.")
def weights_add_up_to_one(s: Now) -> Gradient:
    """The direction is (1 - lam) g + lam pi(a; e)."""
    return total((1 - s.lam, s.g), (s.lam, pi(s.a, s.e)))


@wrong_direction(where="eq. 5, the weights", mend="Add the two terms instead of averaging them.")
def direction_is_a_mean(s: Now) -> Gradient:
    """The direction is (g + lam pi(a; e)) / 2."""
    return total((0.5, direction(s)))


@wrong_direction(where=WEIGHT, mend="Use lam as it is, above 1 too.")
def lam_is_capped_at_one(s: Now) -> Gradient:
    """The weight is min(lam, 1)."""
    return total((1, s.g), (min(s.lam, 1.0), pi(s.a, s.e)))


@wrong_direction(where=WEIGHT, mend="Use lam itself, not its root.")
def lam_enters_as_its_root(s: Now) -> Gradient:
    """The direction is g + sqrt(lam) pi(a; e)."""
    return total((1, s.g), (s.lam**0.5, pi(s.a, s.e)))


@wrong_direction(where=LENGTH, mend="Return the gradient; the optimiser subtracts it.")
def direction_is_negated(s: Now) -> Gradient:
    """The direction is -(g + lam pi(a; e)), an update instead of a gradient."""
    return total((-1, direction(s)))


@wrong_direction(where=LENGTH, mend="Leave the direction's norm alone.")
def direction_is_a_unit_vector(s: Now) -> Gradient:
    """The direction is d / ||d||."""
    d = direction(s)
    return total((ratio(1, norm(d)), d))


@wrong_direction(where=LENGTH, mend="Leave the direction's norm alone; clip in the optimiser.")
def direction_is_clipped(s: Now) -> Gradient:
    """The direction is d min(1, 1 / ||d||)."""
    d = direction(s)
    return total((1 / max(1.0, norm(d)), d))


@wrong_direction(where=LENGTH, mend="Leave the direction's norm alone.")
def direction_gets_the_length_of_the_main_gradient(s: Now) -> Gradient:
    """The direction is d ||g|| / ||d||."""
    d = direction(s)
    return total((ratio(norm(s.g), norm(d)), d))


@wrong_direction(
    where="eq. 5, pi(g_aux; e)", mend="Leave the projected gradient as short as it is."
)
def projection_is_stretched_back(s: Now) -> Gradient:
    """The direction is g + lam pi(a; e) ||a|| / ||pi(a; e)||."""
    part = pi(s.a, s.e)
    return total((1, s.g), (s.lam * ratio(norm(s.a), norm(part)), part))


@wrong_direction(where="eq. 5, pi(g_aux; e)", mend="Use g_aux as it is; lam sets its weight.")
def auxiliary_gradient_gets_the_length_of_the_main(s: Now) -> Gradient:
    """The direction is g + lam pi(a; e) ||g|| / ||a||."""
    return total((1, s.g), (s.lam * ratio(norm(s.g), norm(s.a)), pi(s.a, s.e)))


@wrong_direction(where="eq. 5, pi(g_aux; e)", mend="Use g_aux as it is, not as a unit vector.")
def auxiliary_gradient_is_a_unit_vector(s: Now) -> Gradient:
    """The direction is g + lam pi(a; e) / ||a||."""
    return total((1, s.g), (ratio(s.lam, norm(s.a)), pi(s.a, s.e)))


@wrong_direction(where="eq. 5, both terms", mend="Use both gradients as they are.")
def gradients_are_unit_vectors(s: Now) -> Gradient:
    """The direction is g / ||g|| + lam pi(a; e) / ||a||."""
    return total((ratio(1, norm(s.g)), s.g), (ratio(s.lam, norm(s.a)), pi(s.a, s.e)))
