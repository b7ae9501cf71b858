"""Catalogued mistakes, each under its name, as JAX code has them."""

from typing import Any

import jax
from jax import numpy as jnp
from jax.flatten_util import ravel_pytree

from bloop_proofs.subject import Step
from tests.proofs.rewritten.pieces import Leaves, added, dot, lerp, made


def rho_and_its_complement_are_swapped() -> Step:
    @jax.jit
    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: Any, rho: Any) -> Any:
        ee = dot(ema, ema)
        parts = jax.tree.map(lambda a, e: a - dot(g_aux, ema) / ee * e, g_aux, ema)
        return added(g_main, lam, parts), jax.tree.map(
            lambda e, g: rho * e + (1 - rho) * g, ema, g_main
        )

    return step


def lam_is_missing() -> Step:
    @jax.jit
    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: Any, rho: Any) -> Any:
        (g, unravel), (a, _), (e, _) = map(ravel_pytree, (g_main, g_aux, ema))
        return unravel(g + a - jnp.vdot(e, a) / jnp.vdot(e, e) * e), unravel(
            (1 - rho) * e + rho * g
        )

    return step


def lam_is_that_of_the_first_call() -> Step:
    weights: dict[str, float] = {}

    @jax.jit
    def traced(g_main: Leaves, g_aux: Leaves, ema: Leaves, rho: Any) -> Any:
        ee = dot(ema, ema)
        parts = jax.tree.map(lambda a, e: a - dot(g_aux, ema) / ee * e, g_aux, ema)
        return added(g_main, weights["lam"], parts), lerp(ema, g_main, rho)

    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
        weights["lam"] = lam
        return traced(g_main, g_aux, ema, rho)

    return step


def bad_entries_of_the_auxiliary_gradient_become_zero() -> Step:
    @jax.jit
    def step(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: Any, rho: Any) -> Any:
        clean = [jnp.nan_to_num(a, posinf=0.0, neginf=0.0) for a in g_aux]
        ee = dot(ema, ema)
        c = jnp.where(ee == 0, 0.0, dot(clean, ema) / ee)
        parts = jax.tree.map(lambda a, e: a - c * e, clean, ema)
        return added(g_main, lam, parts), lerp(ema, g_main, rho)

    return step


STEPS = made(
    rho_and_its_complement_are_swapped,
    lam_is_missing,
    lam_is_that_of_the_first_call,
    bad_entries_of_the_auxiliary_gradient_become_zero,
)
