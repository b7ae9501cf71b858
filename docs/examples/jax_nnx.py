"""Flax NNX with orbax: micro-batches, clipping, save and resume."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
import orbax.checkpoint as ocp
from flax import nnx
from sklearn.datasets import load_digits

import bloop_jax

CHAIN = optax.chain(bloop_jax.bloop(0.5, 0.03), optax.clip_by_global_norm(1.0), optax.adam(3e-3))
OPTIMISER = bloop_jax.accumulate(CHAIN, every=2)
PIXELS, LABELS = (jnp.asarray(x) for x in load_digits(return_X_y=True))


@nnx.jit
def train_step(
    model: nnx.Sequential, optimiser: nnx.Optimizer[nnx.Sequential], number: int
) -> None:
    """Take in a micro-batch: cross-entropy, and how far noise moves the outputs."""
    key = jax.random.key(number)
    rows = jax.random.randint(key, (64,), 0, len(LABELS))
    x, y = PIXELS[rows] / 16, LABELS[rows]
    noisy = x + 0.3 * jax.random.normal(key, x.shape)
    entropy = optax.softmax_cross_entropy_with_integer_labels
    g_main = nnx.grad(lambda m: entropy(m(x), y).mean())(model)
    g_aux = nnx.grad(lambda m: jnp.mean((m(noisy) - m(x)) ** 2))(model)
    optimiser.update(model, g_main, aux_grads=g_aux)


def train(steps: int, folder: Path) -> Any:
    """Return the parameters after so many micro-batches, going on from a folder if there is one."""
    rngs = nnx.Rngs(0)
    model = nnx.Sequential(nnx.Linear(64, 32, rngs=rngs), nnx.relu, nnx.Linear(32, 10, rngs=rngs))
    optimiser = nnx.Optimizer(model, OPTIMISER, wrt=nnx.Param)
    with ocp.StandardCheckpointer() as checkpointer:
        if folder.exists():
            both = checkpointer.restore(folder, nnx.state((model, optimiser)))
            nnx.update((model, optimiser), both)
        for number in range(int(optimiser.step[...]), steps):
            train_step(model, optimiser, number)
        checkpointer.save(folder, nnx.state((model, optimiser)), force=True)
    return nnx.state(model, nnx.Param)


if __name__ == "__main__":
    train(400, Path("digits").absolute())
