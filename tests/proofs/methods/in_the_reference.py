"""The reference in the protocol of a method under test."""

from bloop_proofs.methods.method import Method


def step_of(method: Method):
    """Return the reference of a method as a step."""

    def stateless(gradients, *, orders=None, **options):
        known = {"orders": orders} if "orders" in method.optional else {}
        of = method.make(**options, **known)
        return of.step(gradients, of.init(gradients[0], losses=len(gradients)))[0]

    def stateful(gradients, state, *, orders=None, **options):
        known = {"orders": orders} if "orders" in method.optional else {}
        of = method.make(**options, **known)
        state = of.init(gradients[0], losses=len(gradients)) if state is None else state
        return of.step(gradients, state)

    def weighted(gradients, *, orders=None, lam=1.0):
        return stateless(gradients, orders=orders, lam=lam)

    if "lam" in method.optional:
        return weighted
    return stateful if method.stateful else stateless
