"""IRE around SAM in optax: digits classified by a small network."""

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

import bloop_jax


def loss(params: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    """Return the mean cross-entropy."""
    outputs = jnp.tanh(x @ params[0]) @ params[1]
    return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(outputs, y))


def train(steps: int = 200, kappa: float = 4.0, fraction: float = 0.8, rho: float = 0.05) -> float:
    """Return the accuracy."""
    pixels, digits = load_digits(return_X_y=True)
    images, labels = jnp.asarray(pixels / 16, "float32"), jnp.asarray(digits)
    sizes, keys = [(64, 32), (32, 10)], jax.random.split(jax.random.key(0))
    params = [jax.random.normal(key, size) / 8 for key, size in zip(keys, sizes, strict=True)]
    optimiser = bloop_jax.ire(optax.sgd(0.2), kappa, fraction, interval=10, warmup=20)
    state, update = optimiser.init(params), jax.jit(optimiser.update)
    gradient = jax.jit(jax.grad(loss))
    for key in jax.random.split(jax.random.key(1), steps):
        rows = jax.random.randint(key, (128,), 0, len(labels))
        x, y, here = images[rows], labels[rows], gradient(params, images[rows], labels[rows])
        size = jnp.sqrt(sum(jnp.vdot(g, g) for g in here))
        above = [p + rho / size * g for p, g in zip(params, here, strict=True)]
        drawn = jax.random.categorical(key, jnp.tanh(x @ params[0]) @ params[1])
        fisher = gradient(params, x, drawn)  # in a jitted loop: a function, for due steps alone
        updates, state = update(gradient(above, x, y), state, params, fisher_grads=fisher)
        params = optax.apply_updates(params, updates)
    return float(jnp.mean(jnp.argmax(jnp.tanh(images @ params[0]) @ params[1], axis=1) == labels))


if __name__ == "__main__":
    print(f"accuracy: {train():.3f}")
