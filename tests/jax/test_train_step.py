"""A whole step under one ``jit``: donated, rematerialised, in half precision, with a loss scale.

Parameters and data are small integers, and so are the gradients, exactly, in bfloat16 too: however
they are computed, Bloop is given the same ones.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bloop_jax
from bloop_ref import Bloop

LAM, RHO = 0.5, 0.25
PARAMS = {"in": np.array([[1, 0], [-1, 1], [1, 1]], "float32"), "out": np.array([2, 1], "float32")}


def losses(params: Any, x: Any) -> tuple[Any, Any]:
    hidden = jax.nn.relu(x @ params["in"])
    return jnp.sum((hidden @ params["out"]) ** 2) / 2, jnp.sum(hidden**2) / 2


def cast(tree: Any, dtype: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.astype(dtype), tree)


def plain(params: Any, x: Any, scale: Any) -> Any:
    return jax.jacrev(losses)(params, x)


def rematerialised(params: Any, x: Any, scale: Any) -> Any:
    return jax.jacrev(jax.checkpoint(losses))(params, x)


def with_masters(params: Any, x: Any, scale: Any) -> Any:
    """Parameters are float32, all else is bfloat16; gradients are cast before the update."""
    return cast(jax.jacrev(losses)(*cast((params, x), jnp.bfloat16)), jnp.float32)


def scaled(params: Any, x: Any, scale: Any) -> Any:
    """A scale that changes from step to step divides out before the average sees the gradient."""

    def larger(*inputs: Any) -> Any:
        return jax.tree.map(lambda y: scale * y, losses(*inputs))

    return jax.tree.map(lambda g: g / scale, jax.jacrev(larger)(params, x))


WAYS: list[Callable[..., Any]] = [plain, rematerialised, with_masters, scaled]


def batches() -> Iterator[tuple[int, np.ndarray]]:
    rng = np.random.default_rng(0)
    for number in range(3):
        yield 2 ** (10 - number), rng.integers(-1, 2, (8, 3)).astype("float32")


@pytest.mark.parametrize("gradients", WAYS, ids=lambda way: way.__name__)
def test_every_step_is_the_references_in_one_program(gradients: Any, close: Any) -> None:
    optimiser, traces = bloop_jax.bloop(LAM, RHO), []

    def step(params: Any, state: Any, x: Any, scale: Any) -> Any:
        traces.append(1)
        both = bloop_jax.Gradients(*gradients(params, x, scale))
        return optimiser.update(both, state, params)

    compiled = jax.jit(step, donate_argnums=1)
    theirs, own = Bloop(LAM, RHO), Bloop(LAM, RHO).init(PARAMS)
    params = jax.tree.map(jnp.asarray, PARAMS)
    state = optimiser.init(params)
    for scale, x in batches():
        before = state
        direction, state = compiled(params, state, x, float(scale))
        assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before.memory))
        g, a = (jax.tree.map(np.asarray, y) for y in jax.jacrev(losses)(params, x))
        assert all((leaf == np.rint(leaf)).all() for leaf in (*g.values(), *a.values()))
        required, after = theirs.step([g, a], own)
        close((direction, state.ema), (required, after.ema), g, a, own.ema)
        own = after
    assert len(traces) == 1
    assert all(leaf.any() for leaf in (*g.values(), a["in"]))
    program = str(jax.make_jaxpr(step)(params, state, x, 1.0))
    assert ("remat" in program or "checkpoint" in program) == (gradients is rematerialised)
    assert ("bf16" in program) == (gradients is with_masters)


def test_lam_and_rho_are_read_and_set_between_steps() -> None:
    """By optax's own way; numbers are exact."""
    optimiser = optax.inject_hyperparams(bloop_jax.bloop)(lam=LAM, rho=RHO)
    g, a = jnp.array([4.0, 0.0]), jnp.array([2.0, 8.0])
    both, state, update = bloop_jax.Gradients(g, a), optimiser.init(g), jax.jit(optimiser.update)
    _, state = update(both, state, g)
    np.testing.assert_array_equal(state.inner_state.ema, RHO * g)
    assert (float(state.hyperparams["lam"]), float(state.hyperparams["rho"])) == (LAM, RHO)
    state.hyperparams.update(lam=jnp.float32(2), rho=jnp.float32(1))
    direction, state = update(both, state, g)
    np.testing.assert_array_equal(direction, [4.0, 16.0])
    np.testing.assert_array_equal(state.inner_state.ema, g)
