"""Under JAX's transformations: no recompiling, scan, donation, vmap."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from bloop_ref import Bloop, HierarchicalBloop, bloop_direction, surgery

jax = pytest.importorskip("jax", reason="jax is not installed")
jnp = jax.numpy

OPTIONS: list[dict[str, Any]] = [
    {"project_on": "updated", "nonfinite": "propagate"},
    {"init": "first", "rescale": True, "ema_dtype": "float32"},
]


@pytest.fixture
def x64() -> Iterator[None]:
    """Switch float64 on: sums under float32 leaves are then carried in it."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def batches(dtype: str = "float32") -> Any:
    rng = np.random.default_rng(3)
    return [
        {"w": jnp.asarray(rng.normal(size=(5, 4)).astype(dtype)), "none": None} for _ in range(2)
    ]


def step_of(kind: type, options: dict[str, Any]) -> Any:
    if kind is Bloop:
        bloop = Bloop(lambda count: 1 / (1 + count), 0.5, **options)
        return lambda g, a, state: bloop.step([g, a], state), bloop.init
    levels = HierarchicalBloop([lambda count: 1 / (1 + count), 0.5], 0.5, **options)
    return lambda g, a, state: levels.step([g, a, g], state), partial(levels.init, losses=3)


def recompilings(step: Any, state: Any, g: Any, a: Any) -> tuple[int, Any]:
    """Return how often four jitted steps are traced after the first, and the last state."""
    traces = []

    def traced(*arguments: Any) -> Any:
        traces.append(1)
        return step(*arguments)

    jitted = jax.jit(traced)
    for row in range(4):
        g_row, a_row = ({"w": vector["w"][row], "none": None} for vector in (g, a))
        _, state = jitted(g_row, a_row, state)
    return len(traces) - 1, state


@pytest.mark.parametrize("kind", [Bloop, HierarchicalBloop])
@pytest.mark.parametrize("options", OPTIONS)
def test_a_second_step_does_not_recompile(x64: None, kind: type, options: dict[str, Any]) -> None:
    step, init = step_of(kind, options)
    g, a = batches()
    again, state = recompilings(step, init({"w": g["w"][0], "none": None}), g, a)
    assert again == 0
    assert int(state.count) == 4


METHODS: dict[str, Any] = {
    "bloop": Bloop(0.5, 0.25),
    "first": Bloop(0.5, 0.25, init="first", project_on="updated"),
    "hierarchy": HierarchicalBloop([0.5, 0.5], 0.25),
    "grad-vac": surgery.GradVac(0.5, target=0.5),
    "meta-balance": surgery.MetaBalance(),
    "pcgrad": surgery.PCGrad(0.5),
    "sam-gs": surgery.SamGS(),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("wide", [False, True])
def test_a_state_is_a_fixed_point(name: str, wide: bool, request: pytest.FixtureRequest) -> None:
    """The second step of every method runs the program of the first."""
    if wide:
        request.getfixturevalue("x64")
    method, (g, a) = METHODS[name], batches()
    gradients = [{"w": x["w"][0], "none": None} for x in (g, a, g)]
    # for two losses only two of them
    gradients = gradients[: 2 if isinstance(method, Bloop) else 3]
    state = method.init(gradients[0], losses=len(gradients))
    again, after = recompilings(
        lambda main, aux, state: method.step([main, aux, main][: len(gradients)], state),
        state,
        g,
        a,
    )
    assert again == 0
    assert jax.tree.structure(after) == jax.tree.structure(state)
    for x, y in zip(*map(jax.tree.leaves, (state, after)), strict=True):
        assert (x.shape, x.dtype, x.weak_type) == (y.shape, y.dtype, y.weak_type)
    # nor does a state that was restored from NumPy's arrays
    again, _ = recompilings(
        lambda main, aux, state: method.step([main, aux, main][: len(gradients)], state),
        jax.tree.map(np.asarray, state),
        g,
        a,
    )
    assert again == 0


@pytest.mark.parametrize("method", [surgery.MGDA(), surgery.CAGrad(0.5)])
def test_what_searches_by_values_says_so_under_a_tracer(method: Any) -> None:
    g, a = (x["w"] for x in batches())
    # in closed form for two losses
    jax.jit(method)(g, a)
    with pytest.raises(
        TypeError,
        match=rf"^{type(method).__name__} of more than two gradients searches by their values, "
        r"which must be at hand; found a traced array",
    ):
        jax.jit(method)(g, a, g + a)


def test_without_float64_a_second_step_does_not_recompile() -> None:
    step, init = step_of(Bloop, {})
    g, a = batches()
    again, state = recompilings(step, init({"w": g["w"][0], "none": None}), g, a)
    assert again == 0
    assert state.ema["w"].dtype == jnp.float32


def stepwise(step: Any, state: Any, g: Any, a: Any) -> Any:
    directions = []
    for row in range(5):
        d, state = step({"w": g["w"][row], "none": None}, {"w": a["w"][row], "none": None}, state)
        directions.append(d["w"])
    return jnp.stack(directions), state


@pytest.mark.parametrize("options", OPTIONS)
def test_scan_carries_the_state(x64: None, options: dict[str, Any]) -> None:
    step, init = step_of(Bloop, options)
    g, a = batches()
    start = init({"w": g["w"][0], "none": None})

    def body(state: Any, batch: Any) -> Any:
        d, state = step(*batch, state)
        return state, d["w"]

    state, directions = jax.lax.scan(body, start, (g, a))
    expected, last = stepwise(jax.jit(step), start, g, a)
    np.testing.assert_array_equal(directions, expected)
    np.testing.assert_array_equal(state.ema["w"], last.ema["w"])
    assert int(state.count) == 5


@pytest.mark.parametrize("kind", [Bloop, HierarchicalBloop])
def test_buffers_can_be_donated(x64: None, kind: type) -> None:
    step, init = step_of(kind, {"nonfinite": "propagate"})
    g, a = ({"w": vector["w"][0], "none": None} for vector in batches())
    start = init(g)
    expected = jax.jit(step)(g, a, start)
    for state in (start, expected[1]):
        pointers = [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(state)]
        assert len(set(pointers)) == len(pointers)
    found = jax.jit(step, donate_argnums=2)(g, a, start)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_vmap_over_states(x64: None) -> None:
    bloop = Bloop(0.5, 0.25)
    g, a = (vector["w"] for vector in batches())
    states = jax.vmap(bloop.init)(g)
    _, states = jax.vmap(bloop.step)([g, a], states)
    directions, states = jax.vmap(bloop.step)([a, g], states)
    for row in range(5):
        state = bloop.init(g[row])
        _, state = bloop.step([g[row], a[row]], state)
        direction, state = bloop.step([a[row], g[row]], state)
        np.testing.assert_array_equal(directions[row], direction)
        np.testing.assert_array_equal(states.ema[row], state.ema)
    assert states.count.shape == (5,)


def test_vmap_over_lam(x64: None) -> None:
    g, a = (vector["w"] for vector in batches())
    lams = jnp.asarray([0.0, 0.5, 2.0])
    together = jax.vmap(lambda lam: bloop_direction(g, a, g, lam=lam))(lams)
    for lam, found in zip(lams, together, strict=True):
        np.testing.assert_array_equal(found, bloop_direction(g, a, g, lam=lam))


def test_raise_skips_under_a_tracer(x64: None) -> None:
    bloop = Bloop(0.5, 0.25, nonfinite="raise")
    g, a = (vector["w"] for vector in batches())
    bad = g.at[0, 0].set(jnp.nan)
    state = bloop.init(g)
    _, after = jax.jit(bloop.step)([bad, a], state)
    np.testing.assert_array_equal(after.ema, state.ema)
    assert (int(after.count), int(after.skipped)) == (1, 1)
    with pytest.raises(FloatingPointError, match=r"^gradients\[0\] must be finite"):
        bloop.step([bad, a], state)
