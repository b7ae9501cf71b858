"""The optax transformation: the reference's options, chains, schedules, bad batches, resuming."""

import re
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bloop_jax
import bloop_ref

BAD = float("nan")


def batches(gradient: Any, count: int = 4) -> Iterator[tuple[Any, Any]]:
    for seed in range(count):
        yield gradient(2 * seed), gradient(2 * seed + 1)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"project_on": "updated"},
    {"init": "first"},
    {"init": "first", "project_on": "updated", "nonfinite": "propagate"},
    {"rescale": True, "ema_dtype": "float32"},
    {"nonfinite": "raise"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_every_step_is_the_references(
    options: dict[str, Any], compiled: bool, gradient: Any, close: Any
) -> None:
    ours, theirs = bloop_jax.bloop(0.5, 0.25, **options), bloop_ref.Bloop(0.5, 0.25, **options)
    state = ours.init(gradient(99))
    update = jax.jit(ours.update) if compiled else ours.update
    for g, a in batches(gradient):
        direction, after = update(g, state, aux_grads=a)
        required, next_state = theirs.step([g, a], state)
        sizes = [x + jnp.abs(y) for x, y in zip(state.ema, g, strict=True)]
        close((direction, after.ema), (required, next_state.ema), g, a, sizes)
        assert (int(after.count), int(after.skipped)) == (
            int(next_state.count),
            int(next_state.skipped),
        )
        state = after


def test_schedules_get_the_count_and_nothing_recompiles(gradient: Any, close: Any) -> None:
    traces = []
    lam = optax.linear_schedule(1.0, 0.0, 4)

    def rho(count: Any) -> Any:
        traces.append(1)
        return 1 / (2.0 + count)

    ours, theirs = bloop_jax.bloop(lam, rho), bloop_ref.Bloop(lam, rho)
    state, update = ours.init(gradient(0)), jax.jit(ours.update)
    for g, a in batches(gradient):
        direction, after = update(g, state, aux_grads=a)
        seen = len(traces)
        required, next_state = theirs.step([g, a], state)
        close((direction, after.ema), (required, next_state.ema), g, a, state.ema)
        del traces[seen:]
        state = after
    assert len(traces) == 1


@pytest.mark.parametrize(
    "optimiser", [optax.sgd(0.1, momentum=0.9), optax.adam(0.1), optax.adamw(0.1), optax.lion(0.1)]
)
def test_any_optimiser_takes_the_direction(optimiser: Any, gradient: Any) -> None:
    params = gradient(50)
    chain = optax.chain(bloop_jax.bloop(0.5, 0.25), optimiser)
    alone = bloop_jax.bloop(0.5, 0.25)
    state, state_alone, state_optimiser = (x.init(params) for x in (chain, alone, optimiser))
    for g, a in batches(gradient, 3):
        found, state = chain.update(g, state, params, aux_grads=a)
        direction, state_alone = alone.update(g, state_alone, params, aux_grads=a)
        required, state_optimiser = optimiser.update(direction, state_optimiser, params)
        jax.tree.map(np.testing.assert_array_equal, found, required)
        params = optax.apply_updates(params, found)


def spoiled(vector: list[Any]) -> list[Any]:
    return [vector[0].at[0, 0].set(BAD), *vector[1:]]


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_training_goes_on_after_a_bad_batch_with_the_same_average(
    compiled: bool, gradient: Any
) -> None:
    ours = bloop_jax.bloop(0.5, 0.25)
    update = jax.jit(ours.update) if compiled else ours.update
    (g, a), (h, b) = batches(gradient, 2)
    _, state = update(g, ours.init(g), aux_grads=a)
    direction, after = update(spoiled(h), state, aux_grads=b)
    assert np.isnan(direction[0]).any()
    jax.tree.map(np.testing.assert_array_equal, after.ema, state.ema)
    assert (int(after.count), int(after.skipped)) == (2, 1)
    _, after = update(h, state, aux_grads=spoiled(b))
    assert all(np.isfinite(x).all() for x in after.ema)
    assert int(after.skipped) == 0


def test_huge_float64_gradients_are_finite(gradient: Any) -> None:
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        ours = bloop_jax.bloop(0.5, 0.25)
        g = [x * 1e200 for x in gradient(0, dtype="float64")]
        assert int(ours.update(g, ours.init(g), aux_grads=g)[1].skipped) == 0
    finally:
        jax.config.update("jax_enable_x64", before)


def test_raise_raises_outside_jit(gradient: Any) -> None:
    ours = bloop_jax.bloop(0.5, 0.25, nonfinite="raise")
    g = gradient(0)
    with pytest.raises(
        FloatingPointError, match=re.escape("gradients[0] must be finite; found NaN or infinity")
    ):
        ours.update(spoiled(g), ours.init(g), aux_grads=g)


def test_aux_grads_are_required(gradient: Any) -> None:
    ours = bloop_jax.bloop(0.5, 0.25)
    with pytest.raises(TypeError, match="update needs aux_grads="):
        ours.update(gradient(0), ours.init(gradient(0)))


def test_a_resumed_run_is_the_same_to_the_last_bit(gradient: Any, tmp_path: Any) -> None:
    optimiser = optax.chain(bloop_jax.bloop(0.5, 0.25), optax.adam(0.1))
    update = jax.jit(optimiser.update)

    def run(params: Any, state: Any, some: Any) -> tuple[Any, Any]:
        for g, a in some:
            updates, state = update(g, state, params, aux_grads=a)
            params = optax.apply_updates(params, updates)
        return params, state

    every = list(batches(gradient, 6))
    start = gradient(50), optimiser.init(gradient(50))
    whole = run(start[0], start[1], every)
    half = run(start[0], start[1], every[:3])
    leaves, structure = jax.tree.flatten(half)
    np.savez(tmp_path / "half.npz", *leaves)
    with np.load(tmp_path / "half.npz") as saved:
        loaded = jax.tree.unflatten(structure, [jnp.asarray(saved[x]) for x in saved.files])
    resumed = run(loaded[0], loaded[1], every[3:])
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)


def test_half_precision_has_a_float32_average(gradient: Any) -> None:
    ours = bloop_jax.bloop(0.5, 0.001)
    g = [x.astype(jnp.bfloat16) for x in gradient(0)]
    direction, state = ours.update(g, ours.init(g), aux_grads=g)
    assert {x.dtype for x in direction} == {jnp.dtype(jnp.bfloat16)}
    assert {x.dtype for x in state.ema} == {jnp.dtype(jnp.float32)}
