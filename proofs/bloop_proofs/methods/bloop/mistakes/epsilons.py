"""Epsilons: constants that keep a division from failing, and make the scale matter."""

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.methods.bloop.mistakes.pieces import Now, inner, subtracting
from bloop_proofs.methods.bloop.mistakes.wrong import listed, wrong_direction

WHERE = "eq. 5, the denominator ||e||^2"
MEND = "Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere."


@wrong_direction(where=WHERE, mend=MEND, group="numerics")
def machine_epsilon_is_added_to_the_square(s: Now) -> Gradient:
    """The coefficient is <a, e> / (||e||^2 + the spacing at 1 of the dtype)."""
    return subtracting(inner(s.a, s.e) / (inner(s.e, s.e) + float(np.finfo(s.e[0].dtype).eps)), s)


FORMULAS = listed(
    """
at eq. 5, the denominator ||e||^2
epsilon-1e-8-is-added-to-the-square
    coefficient = <a, e> / (||e||^2 + {1e-8})
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-12-is-added-to-the-square
    coefficient = <a, e> / (||e||^2 + 1e-12)
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-6-is-added-to-the-square
    coefficient = <a, e> / (||e||^2 + 1e-6)
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-10-is-added-to-the-square
    coefficient = <a, e> / (||e||^2 + 1e-10)
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-8-is-added-to-the-norm: The EMA is divided by ||e|| + 1e-8 to be a unit vector.
    coefficient = <a, e> / (||e|| + {1e-8})^2
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-12-is-added-to-the-norm: The EMA is divided by ||e|| + 1e-12 to be a unit vector.
    coefficient = <a, e> / (||e|| + 1e-12)^2
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
square-is-at-least-1e-8
    coefficient = <a, e> / max(||e||^2, {1e-8})
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
square-is-at-least-1e-12
    coefficient = <a, e> / max(||e||^2, 1e-12)
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
norm-is-at-least-1e-12: The EMA is divided by max(||e||, 1e-12) to be a unit vector.
    coefficient = <a, e> / max(||e||, {1e-12})^2
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
small-ema-is-taken-as-zero: Nothing is projected where ||e|| < 1e-6.
    coefficient = <a, e> / ||e||^2 if ||e|| >= {1e-6} else 0
    -> Project whenever the EMA is not exactly zero.
small-square-is-taken-as-zero: Nothing is projected where ||e||^2 < 1e-8.
    coefficient = <a, e> / ||e||^2 if <e, e> >= {1e-8} else 0
    -> Project whenever the EMA is not exactly zero.
    """,
    group="numerics",
)
