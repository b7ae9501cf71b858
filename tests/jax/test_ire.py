"""IRE in optax: the reference's steps, one program, refreshes on time, chains, resuming."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bloop_jax
from bloop_jax import IREOptimiserState
from bloop_ref import ire as reference
from tests.tolerances import amplified_bound

OPTIMISERS = {
    "sgd": optax.sgd(0.1, momentum=0.9),
    "adamw": optax.adamw(0.01, weight_decay=0.1),
    "clipped": optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.01)),
}
OPTIONS: list[dict[str, Any]] = [
    {"interval": 2, "warmup": 1},
    {"interval": 1, "rho": 0.5, "ties": "stable"},
    {"interval": 3, "convention": "topk_official"},
]
ROUNDOFF = 2.0**-24


def batches(gradient: Any, count: int = 6) -> Iterator[tuple[Any, Any]]:
    for seed in range(count):
        yield gradient(2 * seed), gradient(2 * seed + 1)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(
    ("name", "compiled"), [("sgd", False), ("sgd", True), ("adamw", True), ("clipped", True)]
)
def test_every_step_is_the_references(
    name: str, options: dict[str, Any], compiled: bool, gradient: Any
) -> None:
    """Updates of the base, amplified by the reference, and the reference's masks."""
    base = OPTIMISERS[name]
    kappa = optax.linear_schedule(4.0, 1.0, 6)
    ours = bloop_jax.ire(base, kappa, 0.6, **options)
    theirs = reference.IRE(kappa, 0.6, **options)
    params = gradient(99)
    state, alone, own = ours.init(params), base.init(params), theirs.init(params)
    update = jax.jit(ours.update) if compiled else ours.update
    alone_update = jax.jit(base.update) if compiled else base.update
    for g, fisher in batches(gradient):
        found, state = update(g, state, params, fisher_grads=fisher)
        if theirs.should_refresh(own.count):
            own = theirs.refresh(reference.curvature(fisher), own)
        moved, alone = alone_update(g, alone, params)
        enhancement = float(kappa(own.count))
        expected, own = theirs.step([None] * len(moved), moved, own)
        jax.tree.map(np.testing.assert_array_equal, state.ire.mask, own.mask)
        for x, y, by in zip(found, expected, moved, strict=True):
            # a compiler may contract a product and a sum into one rounding
            size = float(jnp.max(jnp.abs(by)))
            bound = amplified_bound(ROUNDOFF, (1 + enhancement) * size, enhancement * size)
            assert float(jnp.max(jnp.abs(x - y))) <= 2 * bound
        params = optax.apply_updates(params, found)
    assert int(state.ire.count) == 6


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_without_enhancement_updates_are_the_bases_bit_for_bit(
    compiled: bool, gradient: Any
) -> None:
    base = optax.adamw(0.01)
    ours = bloop_jax.ire(base, 0.0, 0.6, interval=1)
    params = gradient(99)
    state, alone = ours.init(params), base.init(params)
    run = jax.jit if compiled else lambda function: function
    for g, fisher in batches(gradient, 3):
        found, state = run(ours.update)(g, state, params, fisher_grads=fisher)
        expected, alone = run(base.update)(g, alone, params)
        jax.tree.map(np.testing.assert_array_equal, found, expected)
        jax.tree.map(np.testing.assert_array_equal, state.base, alone)


def test_one_program_serves_every_step_and_looks_at_curvature_only_when_due(gradient: Any) -> None:
    traces, looks = [], []
    ours = bloop_jax.ire(optax.sgd(0.1), 1.0, 0.5, interval=3, warmup=2)

    @jax.jit
    def step(g: Any, fisher: Any, state: Any) -> Any:
        traces.append(1)

        def look() -> Any:
            jax.debug.callback(lambda count: looks.append(int(count)), state.ire.count)
            return fisher

        return ours.update(g, state, fisher_grads=look)

    state = ours.init(gradient(0))
    for g, fisher in batches(gradient, 9):
        _, state = step(g, fisher, state)
    jax.effects_barrier()
    assert traces == [1]
    assert looks == [2, 5, 8]


def test_a_function_of_no_argument_and_a_gradient_do_the_same(gradient: Any) -> None:
    ours = bloop_jax.ire(optax.sgd(0.1), 1.0, 0.5)
    g, fisher = gradient(0), gradient(1)
    found = [ours.update(g, ours.init(g), fisher_grads=given) for given in (fisher, lambda: fisher)]
    jax.tree.map(np.testing.assert_array_equal, *found)


def test_curvature_is_a_score(gradient: Any) -> None:
    ours = bloop_jax.ire(optax.sgd(1.0), 1.0, 0.5)
    params = {"w": jnp.ones(3), "frozen": None, "b": jnp.ones(1)}
    hessian = {"w": jnp.array([1.0, 0.1, 2.0]), "frozen": None, "b": jnp.array([0.5])}
    updates, state = ours.update(params, ours.init(params), params, curvature=hessian)
    assert updates["w"].tolist() == [-1.0, -2.0, -1.0]
    assert updates["b"].tolist() == [-2.0]
    assert updates["frozen"] is None
    assert state.ire.mask["frozen"] is None


def test_without_a_score_the_mask_stays(gradient: Any) -> None:
    ours = bloop_jax.ire(optax.sgd(1.0), 1.0, 0.5, interval=1)
    g = gradient(0)
    updates, state = ours.update(g, ours.init(g))
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x, -y), updates, g)
    assert not any(n.any() for n in state.ire.mask)


def test_it_chains_behind_bloop(gradient: Any) -> None:
    """The direction is Bloop's, the steps along flat coordinates are longer."""
    g, a, fisher = gradient(0), gradient(1), gradient(2)
    plain = optax.chain(bloop_jax.bloop(0.5, 0.25), optax.sgd(0.5))
    longer = bloop_jax.ire(plain, 1.0, 1.0)
    expected, _ = plain.update(g, plain.init(g), g, aux_grads=a)
    found, _ = longer.update(g, longer.init(g), g, aux_grads=a, fisher_grads=fisher)
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x, 2 * y), found, expected)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_a_bad_fisher_batch_is_skipped_and_counted(compiled: bool, gradient: Any) -> None:
    ours = bloop_jax.ire(optax.sgd(1.0), 1.0, 0.5, interval=1)
    update = jax.jit(ours.update) if compiled else ours.update
    g, fisher = gradient(0), gradient(1)
    _, state = update(g, ours.init(g), fisher_grads=fisher)
    bad = [fisher[0].at[0, 0].set(jnp.nan), *fisher[1:]]
    _, after = update(g, state, fisher_grads=bad)
    jax.tree.map(np.testing.assert_array_equal, after.ire.mask, state.ire.mask)
    assert int(after.ire.skipped) == 1


def test_raise_raises_outside_jit_where_a_refresh_is_due(gradient: Any) -> None:
    ours = bloop_jax.ire(optax.sgd(1.0), 1.0, 0.5, interval=2, nonfinite="raise")
    g = gradient(0)
    bad = [jnp.full_like(x, jnp.inf) for x in g]
    with pytest.raises(FloatingPointError, match="score must be finite"):
        ours.update(g, ours.init(g), fisher_grads=bad)
    _, state = ours.update(g, ours.init(g), fisher_grads=g)
    _, state = ours.update(g, state, fisher_grads=bad)
    _, state = jax.jit(ours.update)(g, state, fisher_grads=bad)
    assert int(state.ire.skipped) == 1


def test_a_resumed_run_is_the_same_to_the_last_bit(gradient: Any, tmp_path: Any) -> None:
    ours = bloop_jax.ire(optax.adamw(0.1), 2.0, 0.5, interval=2, rho=0.5)
    update = jax.jit(ours.update)

    def run(begin: Any, some: Any) -> tuple[Any, Any]:
        params, state = begin
        for g, fisher in some:
            updates, state = update(g, state, params, fisher_grads=fisher)
            params = optax.apply_updates(params, updates)
        return params, state

    every = list(batches(gradient))
    start = gradient(50), ours.init(gradient(50))
    whole = run(start, every)
    half = run(start, every[:3])
    leaves, structure = jax.tree.flatten(half)
    np.savez(tmp_path / "half.npz", *leaves)
    with np.load(tmp_path / "half.npz") as saved:
        loaded = jax.tree.unflatten(structure, [jnp.asarray(saved[x]) for x in saved.files])
    resumed = run(loaded, every[3:])
    jax.tree.map(np.testing.assert_array_equal, resumed, whole)
    assert isinstance(resumed[1], IREOptimiserState)


def test_bad_arguments_are_named(gradient: Any) -> None:
    g = gradient(0)
    ours = bloop_jax.ire(optax.sgd(1.0), 1.0, 0.5)
    with pytest.raises(TypeError, match="both were given"):
        ours.update(g, ours.init(g), fisher_grads=g, curvature=g)
    with pytest.raises(ValueError, match="must have the tree structure of the parameters"):
        ours.update(g, ours.init(g), fisher_grads=tuple(g))
    with pytest.raises(ValueError, match="interval must be"):
        bloop_jax.ire(optax.sgd(1.0), 1.0, 0.5, interval=0)
