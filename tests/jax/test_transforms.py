"""Under JAX's transformations, and on the trees of Flax and Equinox."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bloop_jax

LAM, RHO = 0.5, 0.25


def stacked(gradient: Any, first: int) -> list[Any]:
    return [
        jnp.stack(leaves) for leaves in zip(*map(gradient, range(first, first + 3)), strict=True)
    ]


def row(tree: Any, i: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[i], tree)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_scan_is_a_loop(dtype: str, gradient: Any, close: Any) -> None:
    g, a = (jax.tree.map(lambda x: x.astype(dtype), stacked(gradient, k)) for k in (0, 3))
    ours = bloop_jax.bloop(LAM, RHO)
    state = ours.init(row(g, 0))

    def body(state: Any, both: Any) -> Any:
        return ours.update(both[0], state, aux_grads=both[1])[::-1]

    last, directions = jax.lax.scan(body, state, (g, a))
    for i in range(3):
        before = state.ema
        direction, state = ours.update(row(g, i), state, aux_grads=row(a, i))
        close((row(directions, i), state.ema), (direction, state.ema), row(g, i), row(a, i), before)
    jax.tree.map(np.testing.assert_array_equal, last.count, state.count)
    close((state.ema, last.ema), (state.ema, state.ema), row(g, 2), row(a, 2), before)


def test_vmap_over_states_steps_each(gradient: Any, close: Any) -> None:
    g, a, e = (stacked(gradient, k) for k in (0, 3, 6))
    ours = bloop_jax.bloop(LAM, RHO)
    states = jax.vmap(ours.init)(g)._replace(memory=(e,), count=jnp.ones(3, jnp.int32))
    update = jax.vmap(lambda g, state, a: ours.update(g, state, aux_grads=a))
    directions, after = jax.jit(update)(g, states, a)
    for i in range(3):
        required = ours.update(row(g, i), row(states, i), aux_grads=row(a, i))
        found = row(directions, i), row(after.ema, i)
        close(found, (required[0], required[1].ema), row(g, i), row(a, i), row(e, i))
        assert int(after.count[i]) == 2


def test_flax_parameters_train() -> None:
    nn = pytest.importorskip("flax.linen", reason="flax is not installed")
    model = nn.Dense(3)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(8, 2)), jnp.float32)
    params = model.init(jax.random.key(0), x)
    optimiser = optax.chain(bloop_jax.bloop(LAM, RHO), optax.sgd(0.1))

    def loss(params: Any) -> Any:
        return jnp.mean(model.apply(params, x) ** 2)

    state, before = optimiser.init(params), loss(params)
    jax.tree.map(lambda e, p: np.testing.assert_array_equal(e, 0 * p), state[0].ema, params)
    for _ in range(3):
        g = jax.grad(loss)(params)
        updates, state = optimiser.update(g, state, params, aux_grads=params)
        params = optax.apply_updates(params, updates)
    assert loss(params) < before


def test_equinox_modules_train() -> None:
    eqx = pytest.importorskip("equinox", reason="equinox is not installed")
    model = eqx.nn.MLP(2, "scalar", 4, 1, key=jax.random.key(0))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(8, 2)), jnp.float32)
    optimiser = optax.chain(bloop_jax.bloop(LAM, RHO), optax.sgd(0.1))
    state = optimiser.init(eqx.filter(model, eqx.is_inexact_array))

    def outputs(model: Any) -> Any:
        return jnp.mean(jax.vmap(model)(x) ** 2)

    loss = eqx.filter_value_and_grad(outputs)
    first, _ = loss(model)
    for _ in range(3):
        _, g = loss(model)
        parameters = eqx.filter(model, eqx.is_inexact_array)
        updates, state = optimiser.update(g, state, parameters, aux_grads=parameters)
        model = eqx.apply_updates(model, updates)
    assert loss(model)[0] < first
