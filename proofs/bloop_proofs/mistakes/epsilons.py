"""Epsilons: constants that keep a division from failing, and make the scale matter."""

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.mistakes.mistake import wrong_direction
from bloop_proofs.mistakes.pieces import Now, inner, norm, ratio, share, subtracting

WHERE = "eq. 5, the denominator ||e||^2"
MEND = "Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere."


def add_to_square(s: Now, epsilon: float) -> Gradient:
    """Return the direction with a constant added to ||e||^2."""
    return subtracting(ratio(inner(s.a, s.e), inner(s.e, s.e) + epsilon), s)


def _square(x: float) -> float:
    return x * x


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def epsilon_1e_8_is_added_to_the_square(s: Now) -> Gradient:
    """The coefficient is <a, e> / (||e||^2 + 1e-8)."""
    return add_to_square(s, 1e-8)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def epsilon_1e_12_is_added_to_the_square(s: Now) -> Gradient:
    """The coefficient is <a, e> / (||e||^2 + 1e-12)."""
    return add_to_square(s, 1e-12)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def epsilon_1e_6_is_added_to_the_square(s: Now) -> Gradient:
    """The coefficient is <a, e> / (||e||^2 + 1e-6)."""
    return add_to_square(s, 1e-6)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def epsilon_1e_10_is_added_to_the_square(s: Now) -> Gradient:
    """The coefficient is <a, e> / (||e||^2 + 1e-10)."""
    return add_to_square(s, 1e-10)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def machine_epsilon_is_added_to_the_square(s: Now) -> Gradient:
    """The coefficient is <a, e> / (||e||^2 + the spacing at 1 of the dtype)."""
    return add_to_square(s, float(np.finfo(s.e[0].dtype).eps))


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def epsilon_1e_8_is_added_to_the_norm(s: Now) -> Gradient:
    """The EMA is divided by ||e|| + 1e-8 to be a unit vector."""
    return subtracting(ratio(inner(s.a, s.e), _square(norm(s.e) + 1e-8)), s)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def epsilon_1e_12_is_added_to_the_norm(s: Now) -> Gradient:
    """The EMA is divided by ||e|| + 1e-12 to be a unit vector."""
    return subtracting(ratio(inner(s.a, s.e), _square(norm(s.e) + 1e-12)), s)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def square_is_at_least_1e_8(s: Now) -> Gradient:
    """The coefficient is <a, e> / max(||e||^2, 1e-8)."""
    return subtracting(ratio(inner(s.a, s.e), max(inner(s.e, s.e), 1e-8)), s)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def square_is_at_least_1e_12(s: Now) -> Gradient:
    """The coefficient is <a, e> / max(||e||^2, 1e-12)."""
    return subtracting(ratio(inner(s.a, s.e), max(inner(s.e, s.e), 1e-12)), s)


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def norm_is_at_least_1e_12(s: Now) -> Gradient:
    """The EMA is divided by max(||e||, 1e-12) to be a unit vector."""
    return subtracting(ratio(inner(s.a, s.e), _square(max(norm(s.e), 1e-12))), s)


@wrong_direction(
    where=WHERE, mend="Project whenever the EMA is not exactly zero.", group="numerics"
)
def small_ema_is_taken_as_zero(s: Now) -> Gradient:
    """Nothing is projected where ||e|| < 1e-6."""
    return subtracting(share(s.a, s.e) if norm(s.e) >= 1e-6 else 0.0, s)


@wrong_direction(
    where=WHERE, mend="Project whenever the EMA is not exactly zero.", group="numerics"
)
def small_square_is_taken_as_zero(s: Now) -> Gradient:
    """Nothing is projected where ||e||^2 < 1e-8."""
    return subtracting(share(s.a, s.e) if inner(s.e, s.e) >= 1e-8 else 0.0, s)
