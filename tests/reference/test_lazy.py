"""dask: a step builds one graph and computes nothing."""

from typing import Any

import numpy as np
import optree
import pytest

from bloop_ref import (
    Bloop,
    HierarchicalBloop,
    bloop_direction,
    diagnostics,
    inner_products,
    project_orthogonal,
    surgery,
    update_ema,
)

dask = pytest.importorskip("dask", reason="dask is not installed")
da = pytest.importorskip("dask.array", reason="dask is not installed")

RNG = np.random.default_rng(9)
VALUES = RNG.normal(size=(3, 6)).astype(np.float32)


def refuse(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("something was computed")


def lazy(values: np.ndarray) -> Any:
    return {"w": da.from_array(values[:4], chunks=3), "b": [da.from_array(values[4:])]}


def concrete(values: np.ndarray) -> Any:
    return {"w": values[:4], "b": [values[4:]]}


def everything(g: Any, a: Any, e: Any, lam: Any) -> Any:
    bloop = Bloop(lambda count: lam + count, 0.5, init="first", rescale=True)
    first, state = bloop.step([g, a], bloop.init(g))
    second, state = bloop.step([a, g], state)
    raising = Bloop(lam, 0.5, nonfinite="raise")
    levels = HierarchicalBloop([lam, 0.5], 0.5)
    return (
        first,
        second,
        tuple(state),
        raising.step([g, a], raising.init(g))[0],
        levels.step([g, a, e], levels.init(g, losses=3))[0],
        bloop_direction(g, a, e, lam=lam),
        update_ema(e, g, rho=lam),
        project_orthogonal(g, a, e),
        tuple(diagnostics(g, a, e)),
        inner_products([g, a]),
        surgery.PCGrad(lam)(g, a),
        surgery.DynamicBarrier(lam)(g, a),
    )


def assert_lazy(program: Any, *vectors: np.ndarray) -> None:
    """Assert that a program computes nothing, and that its graph then gives NumPy's bits."""
    with dask.config.set(scheduler=refuse):
        graph = program(*map(lazy, vectors), da.from_array(np.float64(0.5)))
    (found,) = dask.compute(graph, scheduler="synchronous")
    expected = program(*map(concrete, vectors), 0.5)
    optree.tree_map(np.testing.assert_array_equal, found, expected)


def test_nothing_is_computed_before_it_is_asked_for() -> None:
    assert_lazy(everything, *VALUES)


def test_nor_where_sums_are_compensated() -> None:
    def step(g: Any, a: Any, e: Any, lam: Any) -> Any:
        bloop = Bloop(lam, lam)
        direction, state = bloop.step([g, a], bloop.init(g)._replace(memory=(e,)))
        return direction, tuple(state)

    assert_lazy(step, *VALUES.astype(np.float64))
