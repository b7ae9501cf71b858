"""Flax's TrainState: micro-batches, clipping, save and resume."""

from pathlib import Path

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import serialization
from flax.training.train_state import TrainState
from sklearn.datasets import load_digits

import bloop_jax

CHAIN = optax.chain(bloop_jax.bloop(0.5, 0.03), optax.clip_by_global_norm(1.0), optax.adam(3e-3))
OPTIMISER = bloop_jax.accumulate(CHAIN, every=2)
MODEL = nn.Sequential([nn.Dense(32), nn.relu, nn.Dense(10)])
PIXELS, LABELS = (jnp.asarray(x) for x in load_digits(return_X_y=True))


@jax.jit
def train_step(state: TrainState, key: jax.Array) -> TrainState:
    """Take in a micro-batch: cross-entropy, and how far noise moves the outputs."""
    rows = jax.random.randint(key, (64,), 0, len(LABELS))
    x = PIXELS[rows] / 16

    def losses(params: optax.Params) -> tuple[jax.Array, jax.Array]:
        noise = 0.3 * jax.random.normal(key, x.shape)
        outputs, noisy = (jnp.asarray(state.apply_fn(params, z)) for z in (x, x + noise))
        entropy = optax.softmax_cross_entropy_with_integer_labels(outputs, LABELS[rows])
        return entropy.mean(), jnp.mean((noisy - outputs) ** 2)

    gradients = jax.jacrev(losses)(state.params)  # both, of one forward pass
    return state.apply_gradients(grads=bloop_jax.Gradients(*gradients))


def train(steps: int, file: Path) -> optax.Params:
    """Return the parameters after so many micro-batches, going on from a file if there is one."""
    params = MODEL.init(jax.random.key(0), PIXELS[:1])
    state = TrainState.create(apply_fn=MODEL.apply, params=params, tx=OPTIMISER)
    if file.exists():
        state = serialization.from_bytes(state, file.read_bytes())
    for number in range(int(state.step), steps):
        state = train_step(state, jax.random.key(number))
    file.write_bytes(serialization.to_bytes(state))
    return state.params


if __name__ == "__main__":
    train(400, Path("digits.msgpack"))
