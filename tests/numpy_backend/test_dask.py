"""dask arrays through the reference: nothing is computed until asked for, and then at once."""

from typing import Any

import numpy as np
import pytest

import bloop_ref

dask = pytest.importorskip("dask", reason="dask is not installed")
da = pytest.importorskip("dask.array", reason="dask is not installed")


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("a lazy array was computed")


def test_two_steps_are_one_lazy_graph(gradient: Any) -> None:
    vectors = [gradient(i) for i in range(4)]
    lazy = [[da.from_array(x, chunks=2 if x.ndim else -1) for x in v] for v in vectors]
    bloop = bloop_ref.Bloop(0.5, 0.25)
    with dask.config.set(scheduler=refuse):
        state = bloop.init(lazy[0])
        _, state = bloop.step([lazy[0], lazy[1]], state)
        direction, state = bloop.step([lazy[2], lazy[3]], state)
    with dask.config.set(scheduler="synchronous"):
        found, ema = dask.compute(direction, state.ema)
    numpy_state = bloop.init(vectors[0])
    _, numpy_state = bloop.step([vectors[0], vectors[1]], numpy_state)
    required, numpy_state = bloop.step([vectors[2], vectors[3]], numpy_state)
    # sums of chunks are added in float64, so that the leaves of float32 are the same to an ulp
    for x, y in zip(found + ema, required + numpy_state.ema, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_max_ulp(x, y)


def test_a_state_that_is_persisted_and_fed_back_keeps_the_graph_as_it_is(gradient: Any) -> None:
    """As docs/numpy.md says to; a lazy state holds all steps before it."""
    bloop = bloop_ref.Bloop(0.5, 0.25)

    def sizes(persist: Any) -> list[int]:
        found, state = [], None
        for number in range(4):
            lazy = [[da.from_array(x) for x in gradient(2 * number + k)] for k in range(2)]
            state = bloop.init(lazy[0]) if state is None else state
            direction, state = bloop.step(lazy, state)
            graphs = [x.__dask_graph__() for x in (*direction, *state.ema)]
            found.append(len({key for graph in graphs for key in graph}))
            direction, state = persist(direction, state)
        assert state is not None
        np.testing.assert_array_equal(state.count.compute(), 4)
        return found

    with dask.config.set(scheduler="synchronous"):
        _, first, *others = sizes(dask.persist)
        lazily = sizes(lambda *results: results)
    assert others == [first, first]
    assert lazily == sorted(set(lazily))
    assert lazily[-1] > 2 * first
