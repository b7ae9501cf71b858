"""The four methods that are compared, each a call of the library."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from bloop_ref import surgery
from bloop_reproduction.demo.network import Floats

RHO = 0.01

Combine = Callable[[Floats, Floats], Floats]
"""From a main and an auxiliary gradient to the direction that the optimiser gets."""


@dataclass(frozen=True)
class Method:
    """A way to combine two gradients, for any weight `lam` of the auxiliary loss."""

    label: str
    start: Callable[[float, Floats], Combine]
    """From `lam` and the parameters to a combination for one run, with fresh state if any."""


def _fresh(make: Callable[[float], surgery.Method]) -> Callable[[float, Floats], Combine]:
    """Return what starts a run of a method, which is made of `lam`."""

    def start(lam: float, parameters: Floats) -> Combine:
        method = make(lam)
        state = method.init(parameters)

        def combine(g_main: Floats, g_aux: Floats) -> Floats:
            nonlocal state
            direction, state = method.step([g_main, g_aux], state)
            return cast(Floats, direction)

        return combine

    return start


METHODS = {
    "bloop": Method("Bloop", _fresh(lambda lam: surgery.Bloop(lam, RHO))),
    "mixed": Method("mixed training", _fresh(surgery.Mixed)),
    "pcgrad": Method("PCGrad", _fresh(surgery.PCGrad)),
    "dynamic_barrier": Method("dynamic barrier", _fresh(surgery.DynamicBarrier)),
}
"""All methods by their short name, Bloop first: the order of tables and legends."""
