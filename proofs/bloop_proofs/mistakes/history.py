"""Mistakes of steps that are no functions: they remember, count, or throw dice."""

import itertools

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.mistakes.mistake import wrong_object
from bloop_proofs.mistakes.pieces import (
    Now,
    Pair,
    direction,
    inner,
    like,
    ratio,
    right,
    share,
    subtracting,
)
from bloop_proofs.subject import Step

FUNCTION = "protocol: a step is a function of its arguments"


@wrong_object(where=FUNCTION, mend="Use the EMA that is given, and return the new one.")
def ema_is_kept_inside() -> Step:
    """The EMA given is read at the first call only; the step keeps its own."""
    kept: dict[object, Gradient] = {}

    def step(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float) -> Pair:
        key = tuple((x.shape, x.dtype) for x in ema)
        d, average = right(g_main, g_aux, kept.get(key, ema), lam=lam, rho=rho)
        kept[key] = [x.copy() for x in average]
        return d, average

    return step


@wrong_object(where=FUNCTION, mend="Read lam in every call; a compiled step must take it as input.")
def lam_is_that_of_the_first_call() -> Step:
    """The lam of the first call is built in, as when a step is traced once."""
    first: list[float] = []

    def step(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float) -> Pair:
        if not first:
            first.append(lam)
        return right(g_main, g_aux, ema, lam=first[0], rho=rho)

    return step


@wrong_object(where=FUNCTION, mend="Read rho in every call; a compiled step must take it as input.")
def rho_is_that_of_the_first_call() -> Step:
    """The rho of the first call is built in, as when a step is traced once."""
    first: list[float] = []

    def step(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float) -> Pair:
        if not first:
            first.append(rho)
        return right(g_main, g_aux, ema, lam=lam, rho=first[0])

    return step


@wrong_object(where=FUNCTION, mend="Compute the coefficient from the gradients of this call.")
def coefficient_is_that_of_the_call_before() -> Step:
    """The projection uses the coefficient <a, e> / ||e||^2 of the step before."""
    before: list[float] = []

    def step(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float) -> Pair:
        s = Now(g_main, g_aux, ema, lam, rho)
        before.append(share(g_aux, ema))
        d = subtracting(before.pop(0) if len(before) > 1 else before[0], s)
        return like(d, g_main), right(g_main, g_aux, ema, lam=lam, rho=rho)[1]

    return step


@wrong_object(where=FUNCTION, mend="Update the EMA in every step.")
def ema_is_updated_every_other_call() -> Step:
    """A counter inside lets the EMA be updated at every second call only."""
    calls = itertools.count()

    def step(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float) -> Pair:
        return right(g_main, g_aux, ema, lam=lam, rho=rho if next(calls) % 2 else 0.0)

    return step


@wrong_object(where=FUNCTION, mend="Project in every step.")
def projection_is_made_every_other_call() -> Step:
    """A counter inside lets g_aux be projected at every second call only."""
    calls = itertools.count()

    def step(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float) -> Pair:
        onto = ema if next(calls) % 2 else [np.zeros_like(x) for x in ema]
        s = Now(g_main, g_aux, onto, lam, rho)
        return like(direction(s), g_main), right(g_main, g_aux, ema, lam=lam, rho=rho)[1]

    return step


@wrong_object(where=FUNCTION, mend="Take the inner products over all entries, without sampling.")
def inner_products_are_sampled() -> Step:
    """The inner products are estimated from a random half of the entries."""
    generator = np.random.default_rng(0)

    def step(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float) -> Pair:
        kept = [x * (generator.random(x.shape) < 0.5) for x in ema]
        s = Now(g_main, g_aux, ema, lam, rho)
        d = subtracting(ratio(inner(g_aux, kept), inner(kept, kept)), s)
        return like(d, g_main), right(g_main, g_aux, ema, lam=lam, rho=rho)[1]

    return step


@wrong_object(where=FUNCTION, mend="Return the direction without noise.")
def noise_is_added_to_the_direction() -> Step:
    """Random noise, small beside the gradient, is added to the direction."""
    generator = np.random.default_rng(0)

    def step(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float) -> Pair:
        d, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
        noisy = [x * (1 + 0.01 * generator.standard_normal(x.shape)) for x in d]
        return like(noisy, g_main), average

    return step
