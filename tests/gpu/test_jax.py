"""``bloop_jax`` on the GPU: its transformations, eager and compiled, and their states."""

from typing import Any

import numpy as np
import pytest

from bloop_proofs.subject import flat
from bloop_proofs.tolerances import average_bound, norm
from tests.gpu.cases import CASES, LAM, RHO, SHAPES, Case, U, run_of
from tests.gpu.devices import to_device, to_host

NAMES = ("Bloop", "PCGrad", "MGDA", "hierarchy")
FEW = SHAPES[:6]


def transformation(name: str) -> Any:
    """Return a method of the cases as a transformation."""
    import bloop_jax

    if name == "Bloop":
        return bloop_jax.bloop(LAM, RHO)
    return bloop_jax.surgery(CASES[name].method, losses=CASES[name].losses)


def there(vector: Any) -> list[Any]:
    return [to_device("jax", leaf) for leaf in vector]


def updated(update: Any, gradients: Any, state: Any) -> Any:
    main, *others = map(there, gradients)
    return update(main, state, aux_grads=others[0] if len(others) == 1 else others)


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("name", NAMES)
def test_directions_are_those_of_the_reference(name: str, compiled: bool, jax: Any) -> None:
    case = CASES[name]
    shapes = SHAPES if name == "Bloop" and compiled else FEW  # a tree takes long to compile
    steps = run_of(case, shapes)
    transform = transformation(name)
    update = jax.jit(transform.update) if compiled else transform.update
    state = transform.init(there(steps[0][0][0]))
    for gradients, memory, direction, after in steps:
        found, state = updated(update, gradients, state)
        case.check([to_host(leaf) for leaf in found], direction, gradients, memory)
        if name == "Bloop":
            check_average(state, gradients, memory, after)


def check_average(state: Any, gradients: Any, memory: Any, after: Any) -> None:
    error = norm(flat([to_host(leaf) for leaf in state.ema]) - flat(after[0]))
    main, ema = norm(flat(gradients[0])), norm(flat(memory[0]))
    assert error <= average_bound(U, U, main, ema, RHO)


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_goes_on_bit_for_bit(name: str, jax: Any) -> None:
    """The state is a pytree of arrays: what is stored is its leaves."""
    case: Case = CASES[name]
    transform = transformation(name)
    steps = run_of(case, FEW)
    state = transform.init(there(steps[0][0][0]))
    for gradients, *_ in steps[:-1]:
        _, state = updated(transform.update, gradients, state)
    leaves, structure = jax.tree.flatten(state)
    stored = [np.asarray(leaf) for leaf in leaves]
    again = jax.tree.unflatten(structure, [jax.numpy.asarray(leaf) for leaf in stored])
    outcomes = [updated(transform.update, steps[-1][0], s) for s in (state, again)]
    for x, y in zip(*map(jax.tree.leaves, outcomes), strict=True):
        np.testing.assert_array_equal(to_host(x), to_host(y))


def test_what_is_not_finite_is_skipped_under_jit(jax: Any) -> None:
    transform = transformation("Bloop")
    gradients, *_ = run_of(CASES["Bloop"], FEW)[0]
    update = jax.jit(transform.update)
    _, state = updated(update, gradients, transform.init(there(gradients[0])))
    bad = [[leaf * np.float32(np.nan) for leaf in gradients[0]], gradients[1]]
    direction, after = updated(update, bad, state)
    assert not any(np.isfinite(to_host(leaf)).any() for leaf in direction)
    assert int(after.skipped) == int(state.skipped) + 1
    for x, y in zip(after.ema, state.ema, strict=True):
        np.testing.assert_array_equal(to_host(x), to_host(y))
