"""The four methods that are compared, each a call of the library."""

from collections.abc import Callable
from dataclasses import dataclass

from bloop_ref import surgery

RHO = 0.01


@dataclass(frozen=True)
class Method:
    """A way to combine two gradients, for any weight `lam` of the auxiliary loss."""

    label: str
    make: Callable[[float], surgery.Method]


METHODS = {
    "bloop": Method("Bloop", lambda lam: surgery.Bloop(lam, RHO)),
    "mixed": Method("mixed training", surgery.Mixed),
    "pcgrad": Method("PCGrad", surgery.PCGrad),
    "dynamic_barrier": Method("dynamic barrier", surgery.DynamicBarrier),
}
"""All methods by their short name, Bloop first: the order of tables and legends."""
