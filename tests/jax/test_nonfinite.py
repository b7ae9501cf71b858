"""Bad batches and absent leaves: the reference's states, whatever the options."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bloop_jax
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm
from bloop_ref import Bloop, HierarchicalBloop
from bloop_ref.surgery import GradVac, MetaBalance, SamGS
from tests.jax.cases import Case, batches, rounding_of

BAD = {"nan": np.nan, "infinity": np.inf}
GOOD, MAIN, AUX = (), (0,), (1,)
RUNS = {"first is bad": (MAIN, GOOD, MAIN, GOOD), "later ones are": (GOOD, AUX, MAIN, GOOD)}
"""Which gradients of a step are spoiled."""


def spoiled(gradients: Any, which: tuple[int, ...], value: float) -> Any:
    """Return the gradients with a bad entry in some."""
    copies = [[leaf.copy() for leaf in gradient] for gradient in gradients]
    for k in which:
        copies[k][0][1, 2] = value
    return copies


def there(tree: Any) -> Any:
    return jax.tree.map(jnp.asarray, tree)


def require_same(found: Any, required: Any, bound: float) -> None:
    """Bad entries are where the reference's are, others as near as they can be."""
    x, y = flat([np.asarray(leaf) for leaf in found]), flat(required)
    good = np.isfinite(y)
    np.testing.assert_array_equal(np.isfinite(x), good)
    assert not good.all() or norm(x - y) <= bound


def averaging(levels: int, on: Any, init: Any, nonfinite: Any) -> Any:
    options = {"project_on": on, "init": init, "rescale": True, "nonfinite": nonfinite}
    if levels == 1:
        return Bloop(0.5, 0.25, **options)
    return HierarchicalBloop([0.5, 0.5], 0.25, **options)


@cache
def compiled(levels: int, on: Any, init: Any, nonfinite: Any) -> tuple[Any, Any]:
    """Return a transformation and its jitted update: one program for all spoiled steps."""
    method = averaging(levels, on, init, nonfinite)
    transformation = bloop_jax.surgery(method, losses=levels + 1)
    return transformation, jax.jit(transformation.update)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("nonfinite", ["skip", "propagate", "raise"])
@pytest.mark.parametrize("init", ["zeros", "first"])
@pytest.mark.parametrize("on", ["previous", "updated"])
@pytest.mark.parametrize("levels", [1, 2])
def test_bloop_remembers_what_the_reference_does(
    levels: int, on: Any, init: Any, nonfinite: Any, value: str, run: str
) -> None:
    """Under jit, where ``raise`` skips; the reference is asked to skip too."""
    theirs = averaging(levels, on, init, nonfinite.replace("raise", "skip"))
    transformation, update = compiled(levels, on, init, nonfinite)
    steps = batches(Case(theirs, levels + 1), len(RUNS[run]))
    state, own = transformation.init(there(steps[0][0])), theirs.init(steps[0][0], levels + 1)
    for clean, which in zip(steps, RUNS[run], strict=True):
        gradients = spoiled(clean, which, BAD[value])
        main, *others = there(gradients)
        found, state = update(main, state, aux_grads=others[0] if levels == 1 else others)
        required, after = theirs.step(gradients, own)
        finite = np.isfinite(flat(required)).all()
        bound = rounding_of(theirs, gradients, own, required) if finite else 0.0
        require_same(found, required, bound)
        jax.tree.map(np.testing.assert_array_equal, state.memory, after.memory)
        assert (int(state.count), int(state.skipped)) == (int(after.count), int(after.skipped))
        own = after


@pytest.mark.parametrize(
    "method", [MetaBalance(), GradVac(beta=0.5), SamGS()], ids=lambda m: type(m).__name__
)
@pytest.mark.parametrize("nonfinite", ["skip", "propagate"])
def test_other_states_skip_or_are_spoiled(method: Any, nonfinite: str) -> None:
    method = type(method)(**{**vars(method), "nonfinite": nonfinite})
    transformation = bloop_jax.surgery(method)
    update = jax.jit(transformation.update)
    first, second = batches(Case(method), 2)
    g, a = there(first)
    _, before = update(g, transformation.init(g), aux_grads=a)
    g, a = there(spoiled(second, AUX, np.nan))
    direction, after = update(g, before, aux_grads=a)
    assert not all(jnp.isfinite(x).all() for x in direction)
    remembered = [jax.tree.leaves((s.memory, s.scalars)) for s in (before, after)]
    kept = all((np.asarray(x) == np.asarray(y)).all() for x, y in zip(*remembered, strict=True))
    assert kept == (nonfinite == "skip")
    assert int(after.skipped) == (nonfinite == "skip")


@pytest.mark.parametrize("on", ["previous", "updated"])
@pytest.mark.parametrize(
    ("dtype", "widened"),
    [("float16", "float32"), ("bfloat16", "float32"), ("float32", "float32")],
)
def test_an_average_of_absent_leaves_has_at_least_float32(
    dtype: str, widened: str, on: Any, x64: bool
) -> None:
    g = {"w": jnp.ones(3, dtype), "b": None, "c": None}
    a = {"w": jnp.ones(3, dtype), "b": jnp.ones(2, dtype), "c": None}
    ours = bloop_jax.bloop(0.5, 0.25, project_on=on)
    nothing = {"w": None, "b": None, "c": None}
    state = ours.init(g)._replace(memory=(nothing,))
    direction, after = jax.jit(ours.update)(g, state, aux_grads=a)
    assert (direction["w"].dtype, direction["b"].dtype) == (jnp.dtype(dtype),) * 2
    assert direction["c"] is None
    assert after.ema["w"].dtype == jnp.dtype(widened)
    assert after.ema["c"] is None
    np.testing.assert_array_equal(after.ema["w"], np.full(3, 0.25, np.float32))


def test_an_average_of_float64_leaves_is_float64() -> None:
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        g = [jnp.ones(2, jnp.float64)]
        _, ema = bloop_jax.step(g, g, [None], lam=0.5, rho=0.25)
        assert ema[0].dtype == jnp.float64
        _, ema = bloop_jax.step(g, g, [jnp.ones(2, jnp.float32)], lam=0.5, rho=0.25)
        assert ema[0].dtype == jnp.float32
    finally:
        jax.config.update("jax_enable_x64", before)


@pytest.mark.parametrize("lam", [0, 0.0])
def test_without_weight_a_bad_auxiliary_gradient_still_shows(lam: float) -> None:
    """An integer among a method's numbers is a weight, not the integer 0 of a formula."""
    bloop = bloop_jax.bloop(lam, 0.5)
    g_main, bad = jnp.ones(2), jnp.array([1.0, np.nan])
    direction, _ = bloop.update(g_main, bloop.init(g_main), aux_grads=bad)
    expected, _ = Bloop(lam, 0.5).step([np.ones(2), np.asarray(bad)], Bloop(1, 1).init(np.ones(2)))
    np.testing.assert_array_equal(direction, expected)
