"""Bloop in JAX: one step of Algorithm 1, compiled, for a list of arrays, one per parameter."""

import jax
import jax.numpy as jnp
from jax import Array

Gradient = list[Array]


def inner(xs: Gradient, ys: Gradient) -> Array:
    """Return <x, y> over all parameters together, summed in float32 at least."""
    return jnp.stack(
        [jnp.vdot(wide(x), wide(y), precision="highest").real for x, y in zip(xs, ys, strict=True)]
    ).sum()


def wide(x: Array) -> Array:
    """Return an array in float32 at least, where squares of float16 do not overflow."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


@jax.jit
def step(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> tuple[Gradient, Gradient]:
    """Return the direction, and the EMA of the main gradients after this batch."""
    square = inner(ema, ema)
    c = jnp.where(square == 0, 0.0, inner(g_aux, ema) / square)
    direction = [
        (g + lam * (a - c * e)).astype(g.dtype) for g, a, e in zip(g_main, g_aux, ema, strict=True)
    ]
    new_ema = [((1 - rho) * e + rho * g).astype(e.dtype) for g, e in zip(g_main, ema, strict=True)]
    return direction, new_ema
