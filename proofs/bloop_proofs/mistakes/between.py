"""Mistakes in a step between, ``Bloop(every=m)``: an extension, apart from ``CATALOGUE``.

As for the laws, the g of a step is x, the gradient of L_main + lam L_aux, and its a is A.
"""

from bloop_proofs.cases import Gradient
from bloop_proofs.mistakes.mistake import Mistake, catalogued
from bloop_proofs.mistakes.pieces import Now, Part, pi, share, step_of, total

DIRECTION, AVERAGE = "d = x - lam c e, c = <A, e> / ||e||^2", "e <- (1 - rho) e + rho (x - lam A)"


def right_direction(s: Now) -> Gradient:
    """Return x - lam c e."""
    return total((1, s.g), (-s.lam * share(s.a, s.e), s.e))


def right_average(s: Now) -> Gradient:
    """Return (1 - rho) e + rho (x - lam A)."""
    return total((1 - s.rho, s.e), (s.rho, s.g), (-s.rho * s.lam, s.a))


right = step_of(right_direction, right_average)
"""A right step between."""


def _wrong(part: Part, mean: Part, where: str, mend: str) -> Mistake:
    wrong = part if mean is right_average else mean
    return catalogued(wrong, lambda: step_of(part, mean), where=where, mend=mend, group="equations")


def projects_the_mixed_gradient(s: Now) -> Gradient:
    """The direction is pi(x; e), which takes out of x what g_main has along e too."""
    return pi(s.g, s.e)


def takes_the_coefficient_of_the_mixed_gradient(s: Now) -> Gradient:
    """The direction is x - lam <x, e> / ||e||^2 e."""
    return total((1, s.g), (-s.lam * share(s.g, s.e), s.e))


def adds_the_held_gradient(s: Now) -> Gradient:
    """The direction is x + lam pi(A; e), with the auxiliary gradient in it twice."""
    return total((1, s.g), (s.lam, pi(s.a, s.e)))


def projects_on_the_ema_that_x_has_entered(s: Now) -> Gradient:
    """The direction is x - lam c e for the new e."""
    new = right_average(s)
    return total((1, s.g), (-s.lam * share(s.a, new), new))


def leaves_lam_out_of_the_projection(s: Now) -> Gradient:
    """The direction is x - c e."""
    return total((1, s.g), (-share(s.a, s.e), s.e))


def averages_the_mixed_gradient(s: Now) -> Gradient:
    """The new EMA is (1 - rho) e + rho x."""
    return total((1 - s.rho, s.e), (s.rho, s.g))


def averages_x_less_the_held_gradient_unweighted(s: Now) -> Gradient:
    """The new EMA is (1 - rho) e + rho (x - A)."""
    return total((1 - s.rho, s.e), (s.rho, s.g), (-s.rho, s.a))


def leaves_the_ema_as_it_is(s: Now) -> Gradient:
    """The new EMA is e: it moves on full steps only."""
    return s.e


_DIRECTIONS = {
    projects_the_mixed_gradient: "Take A's part along e out of x, not that of x itself.",
    takes_the_coefficient_of_the_mixed_gradient: "c is <A, e> / ||e||^2.",
    adds_the_held_gradient: "x has lam g_aux in it already: subtract lam c e alone.",
    projects_on_the_ema_that_x_has_entered: "Compute d with the EMA before the step.",
    leaves_lam_out_of_the_projection: "Subtract lam c e: x holds lam times the gradient.",
}
_AVERAGES = {
    averages_the_mixed_gradient: "Take lam A out of x before it enters e.",
    averages_x_less_the_held_gradient_unweighted: "Take lam A out of x, with the lam of x.",
    leaves_the_ema_as_it_is: "Let x - lam A enter e on every step between.",
}

BETWEEN_MISTAKES: tuple[Mistake, ...] = (
    *(_wrong(part, right_average, DIRECTION, mend) for part, mend in _DIRECTIONS.items()),
    *(_wrong(right_direction, mean, AVERAGE, mend) for mean, mend in _AVERAGES.items()),
)
"""The catalogue of a step between."""
