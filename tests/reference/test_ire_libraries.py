"""IRE in every array library: NumPy's mask, its steps, and nothing computed before it is asked."""

from typing import Any

import numpy as np
import optree
import pytest

from bloop_ref import ire
from bloop_ref.ire import IRE
from tests.tolerances import amplified_bound

RNG = np.random.default_rng(3)
OPTIONS: list[dict[str, Any]] = [
    {},
    {"ties": "stable"},
    {"convention": "topk_official", "rho": 0.25},
    {"nonfinite": "propagate"},
    {"warmup": 2},
]


def vector(seed: int) -> dict[str, Any]:
    """Entries with ties, over leaves of several shapes."""
    values = np.random.default_rng(seed).integers(-4, 5, size=9).astype(np.float32) / 8
    return {"w": values[:6].reshape(2, 3), "b": [values[6:8], None, values[8].reshape(())]}


def spoiled(score: dict[str, Any]) -> dict[str, Any]:
    return {**score, "w": np.where(score["w"] == score["w"].max(), np.float32(np.nan), score["w"])}


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_library_takes_numpys_steps(library: Any, options: dict[str, Any]) -> None:
    """Entries are multiples of 1/8 and kappa is 2: no step rounds, so the bits are the same."""
    ir = IRE(2.0, 0.4, interval=2, **options)

    def run(first: Any, second: Any, bad: Any, params: Any) -> Any:
        state, seen = ir.init(params), []
        for score in (first, second, bad):
            state = ir.refresh(ire.curvature(score, batch_size=4), state)
            after = optree.tree_map(lambda x, g: x - g / 2, params, score)
            params, state = ir.step(params, after, state)
            seen.append((params, tuple(state)))
        return seen

    inputs = vector(0), vector(1), spoiled(vector(2)), vector(3)
    found = library.values(library.run(run)(*map(library.vector, inputs)))
    expected = run(*inputs)
    assert str(optree.tree_structure(found)) == str(optree.tree_structure(expected))
    for x, y in zip(optree.tree_leaves(found), optree.tree_leaves(expected), strict=True):
        np.testing.assert_array_equal(x, y)
        assert x.dtype == y.dtype


def test_scalar_arrays_and_schedules(library: Any) -> None:
    """kappa and rho as arrays, or functions of the step count that make arrays."""

    def run(score: Any, params: Any, kappa: Any) -> Any:
        ir = IRE(lambda count: kappa, 0.5, rho=kappa)
        state = ir.refresh(score, ir.init(params))
        after = optree.tree_map(lambda x: x / 2, params)
        return ir.step(params, after, state)[0]

    values = vector(0), vector(1), np.float32(0.5)
    placed = [library.vector(x) for x in (values[0], values[1])]
    found = library.values(library.run(run)(*placed, library.place(np.asarray(values[2]), 0)))
    for x, y in zip(optree.tree_leaves(found), optree.tree_leaves(run(*values)), strict=True):
        np.testing.assert_array_equal(x, y)


def test_rounding_everywhere(library: Any) -> None:
    for dtype in library.dtypes("float16", "float32", "float64", "complex64"):
        require_rounding(library, dtype)


def require_rounding(library: Any, dtype: str) -> None:
    before, after = ([x.astype(dtype)] for x in RNG.normal(size=(2, 50)))
    flat = [RNG.random(50) < 0.5]

    def run(a: Any, b: Any, n: Any) -> Any:
        return ire.amplify(a, b, n, kappa=0.7)

    (found,) = library.values(library.run(run)(*map(library.vector, (before, after, flat))))
    assert found.dtype == dtype
    u = float(np.finfo(dtype).eps) / 2
    moved = 0.7 * (after[0] - before[0]).astype(np.complex128) * flat[0]
    for x, b, further in zip(found, after[0], moved, strict=True):
        exact = complex(b) + further
        # the second term is the roundings of the exact value, in float64
        bounds = (
            amplified_bound(u, abs(exact), abs(further)),
            amplified_bound(2.0**-53, abs(exact), abs(further)),
        )
        assert abs(complex(x) - exact) <= sum(bounds)


def test_should_refresh_of_a_traced_count() -> None:
    jax = pytest.importorskip("jax", reason="jax is not installed")
    ir = IRE(1.0, 0.5, interval=3, warmup=1)
    due = jax.jit(ir.should_refresh)
    assert [bool(due(count)) for count in range(8)] == [
        bool(ir.should_refresh(count)) for count in range(8)
    ]


def test_dask_computes_nothing_by_itself() -> None:
    dask = pytest.importorskip("dask", reason="dask is not installed")
    da = pytest.importorskip("dask.array", reason="dask is not installed")

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("something was computed")

    values = RNG.normal(size=6)
    ir = IRE(da.from_array(np.float64(2.0)), 0.5, rho=0.5, nonfinite="raise")
    with dask.config.set(scheduler=refuse):
        params = da.from_array(values, chunks=3)
        state = ir.refresh(ire.curvature(params), ir.init(params))
        graph, _ = ir.step(params, params / 2, state)
    eager = IRE(2.0, 0.5, rho=0.5)
    state = eager.refresh(ire.curvature(values), eager.init(values))
    np.testing.assert_array_equal(
        graph.compute(scheduler="synchronous"), eager.step(values, values / 2, state)[0]
    )
