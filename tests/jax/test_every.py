"""Steps with one backward pass (``every=m``) in JAX: against the reference, by either choice."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import bloop_jax
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import average_bound, direction_bound, norm, unit_roundoff
from bloop_ref import Bloop, every

LAM, RHO, M, KAPPA, STEPS = 0.5, 0.25, 3, 0.5, 7
OPTIONS: dict[str, Any] = {"every": M, "kappa": KAPPA}


def gradients() -> list[Any]:
    """Pairs of gradients that are trees of float32 leaves."""
    drawn = np.random.default_rng(0).normal(size=(STEPS, 2, 9)).astype(np.float32)
    return [[{"a": g[:4], "b": [g[4:], None]} for g in map(jnp.asarray, pair)] for pair in drawn]


def mixed(g_main: Any, g_aux: Any) -> Any:
    return jax.tree.map(lambda g, a: g + LAM * a, g_main, g_aux)


def require_alike(found: Any, expected: Any, vectors: Any) -> None:
    """Both compute in wider arithmetic of the same float32 vectors, and round each entry once."""
    leaves = [[np.asarray(x) for x in jax.tree.leaves(v)] for v in vectors]
    u, (size, *more) = unit_roundoff(*leaves), [norm(flat(v)) for v in leaves]
    bound = direction_bound(u, 9, size, max(more), LAM) + average_bound(u, u, size, max(more), RHO)
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert norm(np.ravel(np.asarray(x, np.float64) - np.asarray(y))) <= 2 * bound


def walk(update: Any, state: Any) -> None:
    """Hold some steps, and all states, to the reference on NumPy arrays."""
    method = Bloop(LAM, RHO, **OPTIONS)
    for t, pair in enumerate(gradients()):
        taken = pair if method.full(t) else [mixed(*pair)]
        there, own = jax.tree.map(np.asarray, (taken, state))
        expected, after = method.step(there, own)
        found, state = update(t, pair, state)
        require_alike((found, state.memory), (expected, after.memory), (*there, *own.memory))
        assert (int(state.count), int(state.skipped)) == (t + 1, 0)


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_the_caller_chooses_by_leaving_out_the_auxiliary_gradient(wrap: Any) -> None:
    transformation = bloop_jax.bloop(LAM, RHO, **OPTIONS)
    update = wrap(transformation.update)

    def step(t: int, pair: Any, state: Any) -> Any:
        g_main, g_aux = pair
        if t % M == 0:
            return update(g_main, state, aux_grads=g_aux)
        return update(mixed(g_main, g_aux), state)

    walk(step, transformation.init(gradients()[0][0]))


def test_one_compiled_step_chooses_by_the_count() -> None:
    """Both branches of ``lax.cond`` return the same form; only one of them is run."""
    method = Bloop(LAM, RHO, **OPTIONS)
    transformation = bloop_jax.surgery(method)

    @jax.jit
    def step(pair: Any, state: Any) -> Any:
        g_main, g_aux = pair
        return jax.lax.cond(
            method.full(state.count),
            lambda: transformation.update(g_main, state, aux_grads=g_aux),
            lambda: transformation.update(mixed(g_main, g_aux), state),
        )

    walk(lambda t, pair, state: step(pair, state), transformation.init(gradients()[0][0]))


def test_a_missing_auxiliary_gradient_is_told_where_it_can_be() -> None:
    (g_main, _), *_ = gradients()
    extended = bloop_jax.bloop(LAM, RHO, **OPTIONS)
    with pytest.raises(ValueError, match=r"every=3: required 2 in step 0, found 1$"):
        extended.update(g_main, extended.init(g_main))
    plain = optax.chain(bloop_jax.bloop(LAM, RHO), optax.sgd(1.0))
    with pytest.raises(TypeError, match=r"^update needs aux_grads="):
        plain.update(g_main, plain.init(g_main), g_main)


def test_diagnostics_name_what_a_step_knows() -> None:
    method = Bloop(LAM, RHO, **OPTIONS)
    transformation = bloop_jax.surgery(method)
    (g_main, g_aux), (x, _), *_ = gradients()
    _, state = transformation.update(g_main, transformation.init(g_main), aux_grads=g_aux)
    between = jax.jit(lambda x, s: bloop_jax.diagnostics(method, [x], s))(x, state)
    assert isinstance(between, every.StepBetween)
    full = bloop_jax.diagnostics(method, [g_main, g_aux], state)
    assert isinstance(full, every.FullStep)
    expected = method.diagnostics(*jax.tree.map(np.asarray, ([g_main, g_aux], state)))
    assert isinstance(expected, every.FullStep)
    assert float(full.residual) == float(np.float32(expected.residual)) == 0.0


@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_bad_gradients_and_the_wait_for_the_first(wrap: Any) -> None:
    """A bad first full step leaves nothing to stand for g_aux: steps between then move nothing."""
    transformation = bloop_jax.bloop(LAM, RHO, **OPTIONS)
    update = wrap(transformation.update)
    (g_main, g_aux), (x, _), *_ = gradients()
    bad = jax.tree.map(lambda leaf: leaf * np.nan, g_aux)
    _, state = update(g_main, transformation.init(g_main), aux_grads=bad)
    found, state = update(x, state)
    jax.tree.map(np.testing.assert_array_equal, found, x)
    assert (int(state.count), int(state.skipped)) == (2, 2)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(state.memory))
    _, state = update(g_main, state, aux_grads=g_aux)
    jax.tree.map(np.testing.assert_array_equal, state.memory[1], g_aux)
    assert int(state.skipped) == 2
