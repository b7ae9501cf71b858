"""Micro-batches: both gradients averaged before the optimiser sees either."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from bloop_jax.trees import flatten
from bloop_ref.aliases import Array, Scalar, Vector


class AccumulatedState(NamedTuple):
    """What ``accumulate`` carries: the optimiser's state, two averages, and micro-batches seen."""

    inner: Any
    g_main: Vector
    g_aux: Vector
    seen: Array


def accumulate(
    optimiser: optax.GradientTransformation, every: int
) -> optax.GradientTransformationExtraArgs:
    """Return an optimiser that takes one step for every so many micro-batches of equal size.

    The means of the main and of the auxiliary gradients over the micro-batches are what the
    optimiser, a chain with ``bloop`` in it, gets; other updates are zero. So the moving average
    moves once a step, by the gradient of the whole batch. ``optax.MultiSteps`` would average the
    main gradients and pass on the auxiliary one of the last micro-batch alone. The means take the
    room of two more gradients, at least float32.

    Args:
        optimiser: what takes the step; its ``update`` gets ``aux_grads``.
        every: how many micro-batches make a step, at least 1.

    Raises:
        ValueError: ``every`` is less than 1.

    Example:
        >>> from bloop_jax import bloop
        >>> optimiser = accumulate(optax.chain(bloop(lam=1.0, rho=0.5), optax.sgd(1.0)), every=2)
        >>> params = jnp.zeros(2)
        >>> state = optimiser.init(params)
        >>> for g_main, g_aux in [([2.0, 0.0], [0.0, 6.0]), ([4.0, 2.0], [0.0, 0.0])]:
        ...     updates, state = optimiser.update(
        ...         jnp.array(g_main), state, params, aux_grads=jnp.array(g_aux)
        ...     )
        ...     print(updates)
        [0. 0.]
        [-3. -4.]

    Source: Algorithm 1, whose gradients are means over the batch.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1; found {every}")
    inner = optax.with_extra_args_support(optimiser)

    def init(params: Vector) -> AccumulatedState:
        zeros, more = (_map(_zeros, params) for _ in range(2))  # two, so that both can be donated
        return AccumulatedState(inner.init(params), zeros, more, jnp.zeros((), jnp.int32))

    def update(
        updates: Vector,
        state: AccumulatedState,
        params: Vector = None,
        *,
        aux_grads: Vector,
        **extra: Any,
    ) -> tuple[Vector, AccumulatedState]:
        count = state.seen + 1
        g_main = _map(lambda mean, g: _towards(mean, g, count), state.g_main, updates)
        g_aux = _map(lambda mean, g: _towards(mean, g, count), state.g_aux, aux_grads)

        def take() -> tuple[Vector, AccumulatedState]:
            like_main, like_aux = _map(_like, g_main, updates), _map(_like, g_aux, aux_grads)
            taken, after = inner.update(like_main, state.inner, params, aux_grads=like_aux, **extra)
            zeros = _map(jnp.zeros_like, g_main), _map(jnp.zeros_like, g_aux)
            return taken, AccumulatedState(after, *zeros, jnp.zeros_like(count))

        def wait() -> tuple[Vector, AccumulatedState]:
            shapes, _ = jax.eval_shape(take)
            nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
            return nothing, AccumulatedState(state.inner, g_main, g_aux, count)

        done: tuple[Vector, AccumulatedState] = lax.cond(count == every, take, wait)
        return done

    return optax.GradientTransformationExtraArgs(init, update)


def _map(function: Any, tree: Vector, *rest: Vector) -> Vector:
    """Map over the leaves of trees of one structure; ``None`` stays ``None``."""
    leaves, structure = flatten(tree)
    others = [flatten(other)[0] for other in rest]
    mapped = [
        None if row[0] is None else function(*row) for row in zip(leaves, *others, strict=True)
    ]
    return jax.tree.unflatten(structure, mapped)


def _zeros(leaf: Array) -> Array:
    return jnp.zeros_like(leaf, jnp.promote_types(leaf.dtype, jnp.float32))


def _towards(mean: Array, leaf: Array, count: Scalar) -> Array:
    """Return the mean of ``count`` gradients from that of all but the last."""
    return mean + (leaf - mean) / count.astype(mean.real.dtype)


def _like(mean: Array, leaf: Array) -> Array:
    return mean.astype(leaf.dtype)
