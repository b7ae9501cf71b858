"""Equinox: micro-batches, clipping, save and resume."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

import bloop_jax

CHAIN = optax.chain(bloop_jax.bloop(0.5, 0.03), optax.clip_by_global_norm(1.0), optax.adam(3e-3))
OPTIMISER = bloop_jax.accumulate(CHAIN, every=2)
PIXELS, LABELS = (jnp.asarray(x) for x in load_digits(return_X_y=True))


def losses(model: eqx.nn.MLP, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return cross-entropy on a micro-batch, and how far noise moves the outputs."""
    rows = jax.random.randint(key, (64,), 0, len(LABELS))
    x = PIXELS[rows] / 16
    outputs, noisy = (jax.vmap(model)(z) for z in (x, x + 0.3 * jax.random.normal(key, x.shape)))
    entropy = optax.softmax_cross_entropy_with_integer_labels(outputs, LABELS[rows])
    return entropy.mean(), jnp.mean((noisy - outputs) ** 2)


@eqx.filter_jit
def train_step(model: eqx.nn.MLP, state: Any, number: jax.Array) -> Any:
    """Return the model, the state and the number after a micro-batch."""
    gradients = eqx.filter_jacrev(losses)(model, jax.random.key(number))  # both, of one forward
    params = eqx.filter(model, eqx.is_inexact_array)
    updates, state = OPTIMISER.update(bloop_jax.Gradients(*gradients), state, params)
    return eqx.apply_updates(model, updates), state, number + 1


def train(steps: int, file: Path) -> eqx.nn.MLP:
    """Return the model after so many micro-batches, going on from a file if there is one."""
    model = eqx.nn.MLP(64, 10, 32, 1, key=jax.random.key(0))
    run = model, OPTIMISER.init(eqx.filter(model, eqx.is_inexact_array)), jnp.zeros((), jnp.int32)
    if file.exists():
        run = eqx.tree_deserialise_leaves(file, run)
    while run[2] < steps:
        run = train_step(*run)
    eqx.tree_serialise_leaves(file, run)
    return run[0]


if __name__ == "__main__":
    train(400, Path("digits.eqx"))
