"""Any method of the family as an optax transformation: two losses and more, state, bad batches."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bloop_jax
from bloop_ref.surgery import (
    AGem,
    DynamicBarrier,
    GradVac,
    MetaBalance,
    Mixed,
    PCGrad,
    PerLeaf,
    SamGS,
)

M, X = jnp.array([3.0, 4.0]), jnp.array([-5.0, 0.0])
MAIN, AUX = jnp.array([4.0, 4.0]), jnp.array([-4.0, 0.0])
"""Gradients of which every coefficient is a dyadic number."""


NAME: Any = "pcgrad"

EACH_WITH_A_STATE = pytest.mark.parametrize(
    "method", [MetaBalance(), GradVac(beta=0.5), SamGS()], ids=lambda method: type(method).__name__
)


def step(method: Any, *gradients: Any) -> Any:
    """Return the direction of a first step under jit."""
    transformation = bloop_jax.surgery(method, losses=len(gradients))
    g_main, *others = gradients
    state = transformation.init(g_main)
    aux = others[0] if len(others) == 1 else tuple(others)
    return jax.jit(transformation.update)(g_main, state, aux_grads=aux)


@pytest.mark.parametrize(
    ("method", "required"),
    [
        (Mixed(lam=0.5), (2.0, 4.0)),
        (PCGrad(lam=0.5), (-1.0, 5.0)),
        (DynamicBarrier(lam=0.5), (3.0, 5.0)),
        (AGem(), (0.0, 4.0)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_tree_is_one_vector(method: Any, required: tuple[float, float]) -> None:
    trees = ({"a": x[:1], "b": (x[1:], None)} for x in (MAIN, AUX))
    direction, state = step(method, *trees)
    assert direction["b"][1] is None
    found = np.array([direction["a"][0], direction["b"][0][0]])
    np.testing.assert_array_equal(found, np.array(required, np.float32))
    assert (int(state.count), int(state.skipped)) == (1, 0)


@pytest.mark.parametrize("power", [-100, 100])
def test_scales_beyond_the_range_of_squares_change_no_bit(power: int) -> None:
    plain, _ = step(PCGrad(), M, X)
    moved, _ = step(PCGrad(), jnp.ldexp(M, power), jnp.ldexp(X, power))
    np.testing.assert_array_equal(moved, jnp.ldexp(plain, power))


def test_the_scale_of_a_gradient_that_opposes_does_not_matter() -> None:
    direction, _ = step(PCGrad(lam=0), M, jnp.ldexp(X, -120))
    np.testing.assert_array_equal(direction, [0.0, 4.0])


def test_more_losses_in_a_given_order() -> None:
    g = [jnp.array(v) for v in ([1.0, 0.0], [0.0, 1.0], [-1.0, 0.0])]
    direction, _ = step(PCGrad(orders=[[1, 2], [0, 2], [0, 1]]), *g)
    np.testing.assert_array_equal(direction, [0.0, 1.0])


def test_orders_are_drawn_anew_without_compiling_again() -> None:
    transformation = bloop_jax.surgery(PCGrad(seed=1), losses=3)
    g = [jnp.array(v) for v in ([1.0, 0.0], [-1.0, 1.0], [-10.0, -1.0])]
    traces: list[int] = []

    @jax.jit
    def update(g_main: Any, state: Any, aux_grads: Any) -> Any:
        traces.append(1)
        return transformation.update(g_main, state, aux_grads=aux_grads)

    state, found = transformation.init(g[0]), set()
    for _ in range(16):
        direction, state = update(g[0], state, tuple(g[1:]))
        found.add(tuple(direction.tolist()))
    assert len(found) > 1
    assert len(traces) == 1
    assert int(state.count) == 16


@pytest.mark.parametrize(
    "method", [MetaBalance(), GradVac(beta=0.5), SamGS()], ids=lambda m: type(m).__name__
)
def test_a_state_survives_bad_batches(method: Any) -> None:
    transformation = bloop_jax.surgery(method)
    update, bad = jax.jit(transformation.update), jnp.array([jnp.nan, 0.0])
    _, good = update(M, transformation.init(M), aux_grads=X)
    after = good
    for g_main, g_aux in ((bad, X), (M, bad)):
        direction, after = update(g_main, after, aux_grads=g_aux)
        assert jnp.isnan(direction).any()
    for kept, old in ((after.memory, good.memory), (after.scalars, good.scalars)):
        assert jax.tree.all(jax.tree.map(jnp.array_equal, kept, old))
    assert (int(after.count), int(after.skipped)) == (3, 2)


@EACH_WITH_A_STATE
def test_a_state_is_carried_through_a_scan(method: Any) -> None:
    transformation = bloop_jax.surgery(method)

    def body(state: Any, gradients: Any) -> Any:
        direction, state = transformation.update(gradients[0], state, aux_grads=gradients[1])
        return state, direction

    batches = jnp.stack([M, M, M]), jnp.stack([X, X, X])
    state, directions = jax.lax.scan(body, transformation.init(M), batches)
    assert int(state.count) == 3
    assert jnp.isfinite(directions).all()


def test_a_barrier_is_told_the_main_loss_and_nothing_else() -> None:
    transformation = bloop_jax.surgery(DynamicBarrier(level=0.0))
    direction, _ = transformation.update(
        M, transformation.init(M), aux_grads=X, main_loss=2.0, learning_rate=None
    )
    np.testing.assert_array_equal(direction, np.array([-74 / 25, 68 / 25], np.float32))


def test_it_chains_with_any_optimiser() -> None:
    optimiser = optax.chain(bloop_jax.surgery(PCGrad(lam=0.5)), optax.sgd(1.0))
    updates, _ = optimiser.update(MAIN, optimiser.init(MAIN), MAIN, aux_grads=AUX)
    np.testing.assert_array_equal(updates, [1.0, -5.0])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: bloop_jax.surgery(NAME), TypeError, "method must be"),
        (
            lambda: bloop_jax.surgery(PerLeaf(AGem()), axis_name="x"),
            TypeError,
            "must be None for PerLeaf",
        ),
        (lambda: step(AGem(), M, X, X), ValueError, "required 2, found 3"),
        (lambda: bloop_jax.surgery(PCGrad()).update(M, None), TypeError, "needs aux_grads"),
        (lambda: bloop_jax.surgery(PCGrad()).update(M, None, aux_grads=X), TypeError, "a State"),
        (lambda: step(PCGrad(), M, jnp.ones(3)), ValueError, "the shape of"),
        (lambda: step(PCGrad(), [M], X), ValueError, "must have the tree structure of"),
        (
            lambda: bloop_jax.surgery(Mixed(1), losses=3).update(M, None, aux_grads=[X]),
            ValueError,
            "required 2, found 1",
        ),
        (
            lambda: bloop_jax.surgery(PCGrad(nonfinite="raise")).update(
                M, bloop_jax.surgery(PCGrad()).init(M), aux_grads=X * jnp.nan
            ),
            FloatingPointError,
            "must be finite",
        ),
    ],
)
def test_what_cannot_be_done_is_said(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
