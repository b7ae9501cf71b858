"""Epsilons: constants that keep a division from failing, and make the scale matter."""

from bloop_proofs.methods.bloop.mistakes.wrong import listed

FORMULAS = listed(
    """
at eq. 5, the denominator ||e||^2
machine-epsilon-is-added-to-the-square
    The coefficient is <a, e> / (||e||^2 + the spacing at 1 of the dtype).
    quotient(top, bottom) = top / (bottom + machine)
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-8-is-added-to-the-square
    quotient(top, bottom) = top / (bottom + {1e-8})
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-12-is-added-to-the-square
    quotient(top, bottom) = top / (bottom + 1e-12)
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-6-is-added-to-the-square
    quotient(top, bottom) = top / (bottom + 1e-6)
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-10-is-added-to-the-square
    quotient(top, bottom) = top / (bottom + 1e-10)
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-8-is-added-to-the-norm: The EMA is divided by ||e|| + 1e-8 to be a unit vector.
    quotient(top, bottom) = top / (root(bottom) + {1e-8})^2
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-12-is-added-to-the-norm: The EMA is divided by ||e|| + 1e-12 to be a unit vector.
    quotient(top, bottom) = top / (root(bottom) + 1e-12)^2
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-8-is-added-to-one-norm: The coefficient is <a, e> / (||e|| (||e|| + 1e-8)).
    quotient(top, bottom) = top / (root(bottom) (root(bottom) + {1e-8}))
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
epsilon-1e-8-is-in-the-cosine: The cosine is <a, e> / (||a|| ||e|| + 1e-8), times ||a|| / ||e||.
    share(x, y) = gate(<x, y> / (||x|| ||y|| + {1e-8}) ||x|| / ||y||)
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
square-is-at-least-1e-8
    quotient(top, bottom) = top / max(bottom, {1e-8})
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
square-is-at-least-1e-12
    quotient(top, bottom) = top / max(bottom, 1e-12)
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
norm-is-at-least-1e-12: The EMA is divided by max(||e||, 1e-12) to be a unit vector.
    quotient(top, bottom) = top / max(root(bottom), {1e-12})^2
    -> Drop the epsilon: take the coefficient as 0 where ||ema||^2 is 0, and divide elsewhere.
small-ema-is-taken-as-zero: Nothing is projected where ||e|| < 1e-6.
    quotient(top, bottom) = top / bottom if root(bottom) >= {1e-6} else 0 top
    -> Project whenever the EMA is not exactly zero.
small-square-is-taken-as-zero: Nothing is projected where ||e||^2 < 1e-8.
    quotient(top, bottom) = top / bottom if bottom >= {1e-8} else 0 top
    -> Project whenever the EMA is not exactly zero.
    """,
    group="numerics",
)
