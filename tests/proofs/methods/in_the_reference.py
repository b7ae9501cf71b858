"""The reference in the protocol of a method under test."""

from collections.abc import Callable
from typing import Any

from bloop_proofs.signature import Signature
from bloop_ref import surgery

MADE: dict[str, Callable[..., Any]] = {
    "mixed": surgery.Mixed,
    "a_gem": surgery.AGem,
    "dynamic_barrier": surgery.DynamicBarrier,
    "mgda": surgery.MGDA,
    "cosine_gate": surgery.CosineGate,
    "grad_vac": surgery.GradVac,
    "pcgrad": surgery.PCGrad,
    "meta_balance": lambda *, r, beta: surgery.MetaBalance(relaxation=r, beta=beta),
    "cagrad": surgery.CAGrad,
    "sam_gs": lambda *, eps, **options: surgery.SamGS(epsilon=eps, **options),
}
"""The reference of every method, for the options of the protocol."""


def step_of(method: Signature):
    """Return the reference of a method as a step."""

    def stateless(gradients, *, orders=None, **options):
        known = {"orders": orders} if "orders" in method.optional else {}
        of = MADE[method.name](**options, **known)
        return of.step(gradients, of.init(gradients[0], losses=len(gradients)))[0]

    def stateful(gradients, state, *, orders=None, **options):
        known = {"orders": orders} if "orders" in method.optional else {}
        of = MADE[method.name](**options, **known)
        state = of.init(gradients[0], losses=len(gradients)) if state is None else state
        return of.step(gradients, state)

    def weighted(gradients, *, orders=None, lam=1.0):
        return stateless(gradients, orders=orders, lam=lam)

    if "lam" in method.optional:
        return weighted
    return stateful if method.stateful else stateless
