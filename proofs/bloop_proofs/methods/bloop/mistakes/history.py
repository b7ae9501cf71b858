"""Mistakes of steps that are no functions: they remember, count, or throw dice."""

import itertools

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.methods.bloop.mistakes.pieces import Now, Pair, Whole, like, share, subtracting
from bloop_proofs.methods.bloop.mistakes.wrong import wrong_object

FUNCTION = "protocol: a step is a function of its arguments"


@wrong_object(where=FUNCTION, mend="Use the EMA that is given, and return the new one.")
def ema_is_kept_inside() -> Whole:
    """The EMA given is read at the first call only; the step keeps its own."""
    kept: dict[object, Gradient] = {}

    def step(s: Now) -> Pair:
        key = tuple((x.shape, x.dtype) for x in s.e)
        d, average = s.but(e=kept.get(key, s.e)).step()
        kept[key] = [x.copy() for x in average]
        return d, average

    return step


@wrong_object(where=FUNCTION, mend="Read lam in every call; a compiled step must take it as input.")
def lam_is_that_of_the_first_call() -> Whole:
    """The lam of the first call is built in, as when a step is traced once."""
    first: list[float] = []

    def step(s: Now) -> Pair:
        if not first:
            first.append(s.lam)
        return s.but(lam=first[0]).step()

    return step


@wrong_object(where=FUNCTION, mend="Read rho in every call; a compiled step must take it as input.")
def rho_is_that_of_the_first_call() -> Whole:
    """The rho of the first call is built in, as when a step is traced once."""
    first: list[float] = []

    def step(s: Now) -> Pair:
        if not first:
            first.append(s.rho)
        return s.but(rho=first[0]).step()

    return step


@wrong_object(where=FUNCTION, mend="Compute the coefficient from the gradients of this call.")
def coefficient_is_that_of_the_call_before() -> Whole:
    """The projection uses the coefficient <a, e> / ||e||^2 of the step before."""
    before: list[float] = []

    def step(s: Now) -> Pair:
        before.append(share(s.a, s.e))
        d = subtracting(before.pop(0) if len(before) > 1 else before[0], s)
        return d, s.step()[1]

    return step


@wrong_object(where=FUNCTION, mend="Update the EMA in every step.")
def ema_is_updated_every_other_call() -> Whole:
    """A counter inside lets the EMA be updated at every second call only."""
    calls = itertools.count()

    def step(s: Now) -> Pair:
        return (s if next(calls) % 2 else s.but(rho=0.0)).step()

    return step


@wrong_object(where=FUNCTION, mend="Project in every step.")
def projection_is_made_every_other_call() -> Whole:
    """A counter inside lets g_aux be projected at every second call only."""
    calls = itertools.count()

    def step(s: Now) -> Pair:
        onto = s.e if next(calls) % 2 else [np.zeros_like(x) for x in s.e]
        return s.but(e=onto).step()[0], s.step()[1]

    return step


@wrong_object(where=FUNCTION, mend="Take the inner products over all entries, without sampling.")
def inner_products_are_sampled() -> Whole:
    """The inner products are estimated from a random half of the entries."""
    generator = np.random.default_rng(0)

    def step(s: Now) -> Pair:
        kept = [x * (generator.random(x.shape) < 0.5) for x in s.e]
        return subtracting(share(s.a, kept), s), s.step()[1]

    return step


@wrong_object(where=FUNCTION, mend="Return the direction without noise.")
def noise_is_added_to_the_direction() -> Whole:
    """Random noise, small beside the gradient, is added to the direction."""
    generator = np.random.default_rng(0)

    def step(s: Now) -> Pair:
        d, average = s.step()
        noisy = [x * (1 + 0.01 * generator.standard_normal(x.shape)) for x in d]
        return like(noisy, s.g), average

    return step
