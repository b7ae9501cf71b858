"""Bloop in JAX: a pure step, and a gradient transformation that chains with any of optax's.

The formulas are those of ``bloop_ref``; this package holds two fast primitives and JAX's clothes.
"""

from bloop_jax.accumulation import AccumulatedState, accumulate
from bloop_jax.linear import combine, inner_products
from bloop_jax.steps import step
from bloop_jax.transformation import bloop
from bloop_ref import BloopState

__all__ = [
    "AccumulatedState",
    "BloopState",
    "accumulate",
    "bloop",
    "combine",
    "inner_products",
    "step",
]
