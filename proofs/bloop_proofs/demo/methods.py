"""The four methods that are compared, each a call of the library."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import bloop_ref
from bloop_proofs.demo.network import Floats
from bloop_ref import surgery

RHO = 0.01

Combine = Callable[[Floats, Floats], Floats]
"""From a main and an auxiliary gradient to the direction that the optimiser gets."""


@dataclass(frozen=True)
class Method:
    """A way to combine two gradients, for any weight `lam` of the auxiliary loss."""

    label: str
    start: Callable[[float, Floats], Combine]
    """From `lam` and the parameters to a combination for one run, with fresh state if any."""


def _bloop(lam: float, parameters: Floats) -> Combine:
    bloop = bloop_ref.Bloop(lam=lam, rho=RHO)
    state = bloop.init(parameters)

    def combine(g_main: Floats, g_aux: Floats) -> Floats:
        nonlocal state
        direction, state = bloop.step(g_main, g_aux, state)
        return cast(Floats, direction)

    return combine


def _stateless(function: Callable[..., object]) -> Callable[[float, Floats], Combine]:
    def start(lam: float, parameters: Floats) -> Combine:
        def combine(g_main: Floats, g_aux: Floats) -> Floats:
            return cast(Floats, function(g_main, g_aux, lam=lam))

        return combine

    return start


METHODS = {
    "bloop": Method("Bloop", _bloop),
    "mixed": Method("mixed training", _stateless(surgery.mixed)),
    "pcgrad": Method("PCGrad", _stateless(surgery.pcgrad)),
    "dynamic_barrier": Method("dynamic barrier", _stateless(surgery.dynamic_barrier)),
}
"""All methods by their short name, Bloop first: the order of tables and legends."""
