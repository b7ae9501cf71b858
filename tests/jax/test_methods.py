"""Every method under jit against the reference: directions, states, one program, resuming."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bloop_jax
from bloop_proofs.subject import flat
from bloop_ref.surgery import MGDA, CAGrad, PerLeaf
from tests.jax.cases import CASES, Case, U, batches, rounding_of
from tests.tolerances import diagnostics_bound, norm

EVERY = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def there(tree: Any) -> Any:
    return jax.tree.map(jnp.asarray, tree)


def apart(found: Any, required: Any) -> float:
    return norm(flat([np.asarray(x) for x in found]) - flat(list(required)))


def updating(case: Case, traces: list[int]) -> Any:
    """Return the transformation, and its update under jit."""
    transformation = bloop_jax.surgery(case.method, losses=case.losses)

    def update(gradients: Any, state: Any) -> Any:
        traces.append(1)
        main, *others = gradients
        aux = others[0] if case.losses == 2 else others
        return transformation.update(main, state, aux_grads=aux, **case.given)

    return transformation, jax.jit(update)


def require_remembered(found: Any, required: Any) -> None:
    """Averages are exact, scalars of the user's precision, counters those of the reference."""
    states = zip(found, required, strict=True) if type(required) is tuple else [(found, required)]
    for x, y in states:
        jax.tree.map(np.testing.assert_array_equal, x.memory, y.memory)
        assert (int(x.count), int(x.skipped)) == (int(y.count), int(y.skipped))
        for p, q in zip(jax.tree.leaves(x.scalars), jax.tree.leaves(y.scalars), strict=True):
            # rounded to float32 after every step, and averaged
            assert abs(float(p) - float(q)) <= 2 * 4 * U * max(1, abs(float(q)))


@EVERY
def test_every_step_is_the_references_and_one_program(case: Case, x64: bool) -> None:
    traces: list[int] = []
    transformation, update = updating(case, traces)
    first, *_ = batches(case)
    state, own = transformation.init(there(first[0])), case.method.init(first[0], case.losses)
    forms = jax.tree.map(lambda x: (x.shape, x.dtype), state)
    for gradients in batches(case):
        found, state = update(there(gradients), state)
        required, after = case.method.step(gradients, own, **case.given)
        assert apart(found, required) <= rounding_of(case.method, gradients, own, required)
        require_remembered(state, after)
        own = after
    assert jax.tree.map(lambda x: (x.shape, x.dtype), state) == forms
    assert len(traces) == 1


@EVERY
def test_a_state_goes_on_from_its_leaves_bit_for_bit(case: Case) -> None:
    transformation, update = updating(case, [])
    *some, last = batches(case)
    state = transformation.init(there(last[0]))
    for gradients in some:
        _, state = update(there(gradients), state)
    leaves, structure = jax.tree.flatten(state)
    stored = [(np.asarray(x).tobytes(), x.dtype, x.shape) for x in leaves]
    read = [jnp.asarray(np.frombuffer(x, dtype).reshape(shape)) for x, dtype, shape in stored]
    resumed = update(there(last), jax.tree.unflatten(structure, read))
    jax.tree.map(np.testing.assert_array_equal, resumed, update(there(last), state))


@EVERY
def test_diagnostics_are_the_references(case: Case) -> None:
    *_, gradients = batches(case)
    state = case.method.init(gradients[0], case.losses)
    _, state = case.method.step(gradients, state, **case.given)
    run = jax.jit(lambda g, s: bloop_jax.diagnostics(case.method, g, s))
    found, required = run(there(gradients), there(state)), case.method.diagnostics(gradients, state)
    sizes = [float(x) for x in jax.tree.leaves(required)]
    for x, y in zip(jax.tree.leaves(found), sizes, strict=True):
        assert abs(float(x) - y) <= diagnostics_bound(U, flat(gradients[0]).size, max(1, abs(y)))


@pytest.mark.parametrize("method", [MGDA(), CAGrad(c=0.5)], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("within", ["eager", "scan", "vmap", "cond"])
def test_a_search_on_the_host_works_within(method: Any, within: str, x64: bool) -> None:
    """A callback gets and returns float64 although the user may not have it."""
    case = Case(method, 3)
    transformation = bloop_jax.surgery(method, losses=3)
    steps = batches(case)
    state = transformation.init(there(steps[0][0]))

    def direct(gradients: Any) -> Any:
        return transformation.update(gradients[0], state, aux_grads=gradients[1:])[0]

    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(there, steps))
    if within == "eager":
        found = [direct(there(gradients)) for gradients in steps]
    elif within == "cond":
        found = [jax.lax.cond(True, direct, lambda g: g[0], there(g)) for g in steps]
    else:
        one = jax.vmap(direct) if within == "vmap" else lambda g: jax.lax.map(direct, g)
        outputs = jax.jit(one)(together)
        found = [[leaf[t] for leaf in outputs] for t in range(len(steps))]
    for direction, gradients in zip(found, steps, strict=True):
        own = method.init(gradients[0], 3)
        required, _ = method.step(gradients, own)
        assert apart(direction, required) <= rounding_of(method, gradients, own, required)


def test_one_loss_needs_no_auxiliary_gradient() -> None:
    transformation = bloop_jax.surgery(MGDA(), losses=1)
    g = jnp.array([3.0, 4.0])
    np.testing.assert_array_equal(transformation.update(g, transformation.init(g))[0], g)


def test_leaf_by_leaf_keeps_trees_of_any_kind() -> None:
    transformation = bloop_jax.surgery(PerLeaf(MGDA()))
    tree = {"w": jnp.array([3.0]), "b": (jnp.array([4.0]), None)}
    direction, _ = transformation.update(tree, transformation.init(tree), aux_grads=tree)
    jax.tree.map(np.testing.assert_array_equal, direction, tree)
