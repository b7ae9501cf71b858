"""The exponents of docs/theory.md, section 4: how errors fall with the number of steps, measured.

``python docs/examples/rates.py`` prints them. The problems and their seed are those of
``bloop_proofs.problems.rates``; the samples of a run are drawn from its number of steps.
"""

from typing import Any

import bloop_numpy
from bloop_proofs.problems.rates import radius_over_eta, rate_over_t

Gradient = list[Any]
LENGTHS = [2**k for k in range(6, 12)]
ETAS = [1 / 8, 1 / 16, 1 / 32]


def mixed(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> tuple[Gradient, Gradient]:
    """Mixed training."""
    return [g + lam * a for g, a in zip(g_main, g_aux, strict=True)], ema


if __name__ == "__main__":
    for name, step in (("Bloop", bloop_numpy.step), ("mixed training", mixed)):
        squares, excess = rate_over_t(step, LENGTHS), radius_over_eta(step, ETAS)
        print(f"{name}: over T {squares.exponent:+.2f}, over eta {excess.exponent:+.2f}")
