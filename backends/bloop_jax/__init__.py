"""Bloop in JAX: a pure step, and a gradient transformation that chains with any of optax's.

The formulas are those of ``bloop_ref``; this package holds two fast primitives and JAX's clothes.
``surgery`` does the same for any method of ``bloop_ref.surgery``, and ``ire`` wraps any optax
optimiser in IRE.
"""

from bloop_jax.accumulation import AccumulatedState, accumulate
from bloop_jax.core import diagnostics
from bloop_jax.enhancement import IREOptimiserState, ire
from bloop_jax.gradients import Gradients
from bloop_jax.steps import step
from bloop_jax.transformation import bloop, surgery
from bloop_ref import State

__all__ = [
    "AccumulatedState",
    "Gradients",
    "IREOptimiserState",
    "State",
    "accumulate",
    "bloop",
    "diagnostics",
    "ire",
    "step",
    "surgery",
]
