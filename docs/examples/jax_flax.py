"""optax with Flax: digits classified by a network that noise on the pixels should not disturb."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from sklearn.datasets import load_digits

import bloop_jax

MODEL = nn.Sequential([nn.Dense(64), nn.relu, nn.Dense(10)])


def losses(params: optax.Params, x: jax.Array, y: jax.Array, key: jax.Array) -> list[jax.Array]:
    """Return the main loss, cross-entropy, and how far noise moves the outputs."""
    noise = 0.3 * jax.random.normal(key, x.shape)
    outputs, noisy = (jnp.asarray(MODEL.apply(params, z)) for z in (x, x + noise))
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels(outputs, y)
    return [cross_entropy.mean(), jnp.mean((noisy - outputs) ** 2)]


def train(steps: int = 100, lam: float = 0.5, rho: float = 0.03) -> float:
    """Return the accuracy."""
    pixels, digits = load_digits(return_X_y=True)
    images, labels = jnp.asarray(pixels / 16, "float32"), jnp.asarray(digits)
    params = MODEL.init(jax.random.key(0), images[:1])
    optimiser = optax.chain(bloop_jax.bloop(lam, rho), optax.adam(3e-3))
    state, update = optimiser.init(params), jax.jit(optimiser.update)
    gradients = jax.jit(jax.jacrev(losses))  # both, of one forward pass
    for key in jax.random.split(jax.random.key(1), steps):
        rows = jax.random.randint(key, (128,), 0, len(labels))
        both = gradients(params, images[rows], labels[rows], key)
        updates, state = update(both[0], state, params, aux_grads=both[1])
        params = optax.apply_updates(params, updates)
    return float(jnp.mean(jnp.argmax(jnp.asarray(MODEL.apply(params, images)), axis=1) == labels))


if __name__ == "__main__":
    print(f"accuracy: {train():.3f}")
