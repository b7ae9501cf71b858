"""The pure step: the reference's answers, extreme scales, trees, donation, bad input."""

import re
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bloop_jax
import bloop_ref
from bloop_proofs import exact
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import direction_bound, norm


def reference(g_main: Any, g_aux: Any, ema: Any) -> Any:
    return (
        bloop_ref.bloop_direction(g_main, g_aux, ema, lam=0.5),
        bloop_ref.update_ema(ema, g_main, rho=0.25),
    )


def test_step_is_the_reference(x64: bool, gradient: Any, close: Any) -> None:
    g, a, e = (gradient(seed) for seed in range(3))
    close(bloop_jax.step(g, a, e, lam=0.5, rho=0.25), reference(g, a, e), g, a, e)


@pytest.mark.parametrize("aux", [1e-30, 1.0, 1e15])
@pytest.mark.parametrize("ema", [1e-37, 1e-25, 1.0, 1e25, 1e36])
def test_step_is_exact_at_extreme_scales(aux: float, ema: float, gradient: Any) -> None:
    g = [x * aux for x in gradient(0)]
    a, e = [x * aux for x in gradient(1)], [x * ema for x in gradient(2)]
    found = bloop_jax.step(g, a, e, lam=0.5, rho=0.25)[0]
    vectors = [[np.asarray(x) for x in v] for v in (g, a, e, found)]
    main, auxiliary = norm(flat(vectors[0])), norm(flat(vectors[1]))
    bound = direction_bound(2.0**-24, flat(vectors[0]).size, main, auxiliary, 0.5)
    required = exact.direction(*vectors[:3], lam=0.5)
    assert norm(flat(vectors[3]) - required) <= bound


def test_leaves_of_very_different_scales_count_alike(gradient: Any, close: Any) -> None:
    scales = (1e-30, 1.0, 1e30)
    g, a, e = ([x * s for x, s in zip(gradient(i), scales, strict=True)] for i in range(3))
    found = bloop_jax.step(g, a, e, lam=0.5, rho=0.25)[0]
    required = exact.direction(*([np.asarray(x) for x in v] for v in (g, a, e)), lam=0.5)
    sizes = [norm(flat([np.asarray(x) for x in v])) for v in (g, a)]
    bound = direction_bound(2.0**-24, 24, sizes[0], sizes[1], 0.5)
    assert norm(flat([np.asarray(x) for x in found]) - required) <= bound


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_quotients_beyond_float32_are_taken(compiled: bool, x64: bool) -> None:
    """The quotient is 1e43, and a is parallel to e: d is g, to the rounding of lam a."""
    g, a, e = (jnp.array([x], jnp.float32) for x in (1.0, 1e34, 1e-9))
    run: Any = partial(bloop_jax.step, lam=0.5, rho=0.25)
    run = jax.jit(run) if compiled else run
    found = run(g, a, e)[0]
    assert abs(float(found[0]) - 1) <= direction_bound(2.0**-24, 1, 1.0, 1e34, 0.5)
    np.testing.assert_array_equal(jax.vmap(run)(g[None], a[None], e[None])[0], found[None])


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "jit"])
def test_weights_beyond_float32_are_applied(compiled: bool, x64: bool) -> None:
    """A compiler may not multiply the factors of a weight first: 1e-50 would be 0."""
    g, a = jnp.zeros(1, jnp.float32), jnp.full(1, 1e38, jnp.float32)
    run = (jax.jit if compiled else lambda f: f)(
        lambda *v: bloop_jax.step(*v, lam=1e-50, rho=1e-50)
    )
    direction, ema = run(g, a, g)
    required = np.float64(a[0]) * 1e-50
    assert abs(float(direction[0]) - required) <= direction_bound(2.0**-24, 1, 0.0, required, 1.0)
    np.testing.assert_array_equal(run(a, g, g)[1], direction)
    assert not ema.any()


def test_float64_vectors_too_far_apart_show(gradient: Any) -> None:
    before = jax.config.read("jax_enable_x64")
    jax.config.update("jax_enable_x64", True)
    try:
        g, a, e = (jnp.array(x) for x in ([1.0, 1.0], [1e-245, 1e-245], [1e100, 0.0]))
        assert jnp.isnan(bloop_jax.step(g, a, e, lam=0.5, rho=0.25)[0]).all()
        # one common power of two changes no bit, however far
        vectors = [gradient(seed, dtype="float64") for seed in range(3)]
        plain = bloop_jax.step(*vectors, lam=0.5, rho=0.25)
        for power in (-900, 900):
            moved = [[jnp.ldexp(x, power) for x in v] for v in vectors]
            found = bloop_jax.step(*moved, lam=0.5, rho=0.25)
            back = jax.tree.map(lambda x, power=power: jnp.ldexp(x, -power), found)
            jax.tree.map(np.testing.assert_array_equal, back, plain)
    finally:
        jax.config.update("jax_enable_x64", before)


def test_long_float32_leaves_are_summed_well(gradient: Any) -> None:
    n = 3_000_000
    a, e = (gradient(i, ((n,),))[0] for i in range(2))
    e = jnp.abs(e)  # every sum grows all the way
    g = jnp.zeros(n, jnp.float32)
    found = bloop_jax.step(g, a, e, lam=1.0, rho=0.0)[0]
    wide_a, wide_e = np.asarray(a, np.float64), np.asarray(e, np.float64)
    required = wide_a - (wide_a @ wide_e) / (wide_e @ wide_e) * wide_e
    # sums in blocks err like sums of about sqrt(n) terms, one accumulator like one of n
    bound = direction_bound(2.0**-24, int(n**0.5), 0.0, norm(wide_a), 1.0)
    assert norm(np.asarray(found, np.float64) - required) <= bound


class Layers(NamedTuple):
    first: Any
    second: Any


def test_any_tree_is_kept_and_none_is_zero(gradient: Any, close: Any) -> None:
    w, b, _ = gradient(0)
    g = Layers({"w": w, "b": None}, [b, None])
    a = Layers({"w": w * 2, "b": b}, [None, None])
    e = Layers({"w": None, "b": None}, [b, None])
    direction, ema = bloop_jax.step(g, a, e, lam=0.5, rho=0.25)
    dense = [
        [jnp.zeros_like(y) if x is None else x for x, y in zip(v, (w, b, b), strict=True)]
        for v in ((w, None, b), (w * 2, b, None), (None, None, b))
    ]
    required = reference(*dense)
    assert direction.second[1] is None
    assert ema.first["b"] is None
    found = [direction.first["w"], direction.first["b"], direction.second[0]]
    new = [ema.first["w"], jnp.zeros_like(b), ema.second[0]]
    close((found, new), required, *dense)


@pytest.mark.filterwarnings("error")
def test_donated_buffers_are_taken(gradient: Any, close: Any) -> None:
    g, a, e = (gradient(i) for i in range(3))
    required = bloop_jax.step(g, a, e, lam=0.5, rho=0.25)
    places = [x.unsafe_buffer_pointer() for x in (*a, *e)]
    direction, ema = bloop_jax.step(g, a, e, lam=0.5, rho=0.25, donate=True)
    assert [x.unsafe_buffer_pointer() for x in (*direction, *ema)] == places
    assert all(x.is_deleted() for x in (*a, *e))
    for x, y in zip(jax.tree.leaves((direction, ema)), jax.tree.leaves(required), strict=True):
        np.testing.assert_array_equal(x, y)


SCALARS = 1 << 16
"""Bytes that hold scalars, a few for each leaf."""


@pytest.mark.parametrize("shapes", [((1 << 20,),), ((512, 512), (512, 512), (256,), (64, 3, 7, 7))])
def test_a_donated_step_allocates_no_vector(shapes: Any, x64: bool) -> None:
    vector = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    donating = jax.jit(bloop_jax.step, donate_argnames=("g_aux", "ema"))
    memory = donating.lower(vector, vector, vector, lam=0.5, rho=0.25).compile().memory_analysis()
    assert memory is not None
    assert memory.temp_size_in_bytes < SCALARS
    assert memory.alias_size_in_bytes == 2 * sum(4 * np.prod(shape) for shape in shapes)


def test_new_values_do_not_recompile(gradient: Any) -> None:
    traces = []

    @jax.jit
    def run(*vectors: Any, lam: Any, rho: Any) -> Any:
        traces.append(1)
        return bloop_jax.step(*vectors, lam=lam, rho=rho)

    for seed in range(4):
        run(*(gradient(3 * seed + i) for i in range(3)), lam=0.1 * seed, rho=0.2 * seed)
    assert len(traces) == 1


BAD: dict[str, tuple[type[Exception], str, dict[str, Any]]] = {
    "structure": (ValueError, "g_aux must have the tree structure of g_main", {"g_aux": ()}),
    "shape": (ValueError, "the shape of g_main", {"g_aux": [jnp.ones((2, 1))]}),
    "library": (TypeError, "library", {"g_aux": [np.ones(2, np.float32)]}),
    "dtype": (TypeError, "dtype", {"ema": [jnp.ones(2, jnp.int32)]}),
    "lam": (ValueError, "lam must be a finite number >= 0; found -1", {"lam": -1}),
    "rho": (ValueError, "rho must be a number in [0, 1]; found 2", {"rho": 2}),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case: str) -> None:
    error, message, change = BAD[case]
    good: dict[str, Any] = {name: [jnp.ones(2)] for name in ("g_main", "g_aux", "ema")}
    with pytest.raises(error, match=re.escape(message)):
        bloop_jax.step(**{**good, "lam": 0.5, "rho": 0.25, **change})


def test_other_libraries_are_refused() -> None:
    with pytest.raises(TypeError, match="g_main must hold JAX arrays"):
        bloop_jax.step(*[[np.ones(2)]] * 3, lam=0.5, rho=0.25)
