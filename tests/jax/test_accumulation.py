"""Micro-batches: one step of the whole batch, which optax.MultiSteps does not take."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bloop_jax


def optimiser() -> Any:
    return optax.chain(bloop_jax.bloop(1.0, 0.5), optax.sgd(1.0))


MAIN = [jnp.array([2.0, 0.0]), jnp.array([4.0, 2.0]), jnp.array([1.0, 1.0]), jnp.array([3.0, -1.0])]
AUX = [jnp.array([0.0, 6.0]), jnp.array([0.0, 0.0]), jnp.array([8.0, 2.0]), jnp.array([-4.0, 2.0])]
"""Their means over two are exact."""


def means(vectors: list[Any]) -> list[Any]:
    return [(x + y) / 2 for x, y in zip(vectors[::2], vectors[1::2], strict=True)]


def run(taken: Any, main: list[Any], aux: list[Any]) -> tuple[Any, Any]:
    params = jnp.zeros(2)
    state = taken.init(params)
    update = jax.jit(taken.update)
    for g, a in zip(main, aux, strict=True):
        updates, state = update(g, state, params, aux_grads=a)
        params = optax.apply_updates(params, updates)
    return params, state


def test_micro_batches_take_the_steps_of_whole_batches() -> None:
    params, state = run(bloop_jax.accumulate(optimiser(), 2), MAIN, AUX)
    required, whole = run(optimiser(), means(MAIN), means(AUX))
    np.testing.assert_array_equal(params, required)
    jax.tree.map(np.testing.assert_array_equal, state.inner, whole)


def test_multi_steps_passes_on_only_the_last_auxiliary_gradient() -> None:
    params, _ = run(optax.MultiSteps(optimiser(), 2), MAIN, AUX)
    required, _ = run(optimiser(), means(MAIN), AUX[1::2])
    np.testing.assert_array_equal(params, required)


def test_scan_over_micro_batches_keeps_none_and_dtypes() -> None:
    taken = bloop_jax.accumulate(optimiser(), 2)
    params = {"w": jnp.zeros(2, jnp.bfloat16), "frozen": None}

    def step(state: Any, both: Any) -> Any:
        g, a = ({"w": x.astype(jnp.bfloat16), "frozen": None} for x in both)
        return taken.update(g, state, params, aux_grads=a)[::-1]

    state, updates = jax.lax.scan(step, taken.init(params), (jnp.stack(MAIN), jnp.stack(AUX)))
    assert updates["w"].dtype == jnp.bfloat16
    assert updates["frozen"] is None
    assert not updates["w"][0::2].any()
    assert updates["w"][1::2].all()
    assert (int(state.seen), int(state.inner[0].count)) == (0, 2)


def test_a_run_may_go_on_with_fewer_micro_batches() -> None:
    """What has been seen by then makes the step."""
    g, zero = jnp.array([8.0, 4.0]), jnp.zeros(2)
    _, state = run(bloop_jax.accumulate(optimiser(), 5), [g] * 3, [zero] * 3)
    updates, state = bloop_jax.accumulate(optimiser(), 2).update(zero, state, zero, aux_grads=zero)
    np.testing.assert_array_equal(updates, [-6.0, -3.0])
    assert int(state.seen) == 0


def test_every_must_be_positive() -> None:
    with pytest.raises(ValueError, match="every must be at least 1; found 0"):
        bloop_jax.accumulate(optimiser(), 0)
