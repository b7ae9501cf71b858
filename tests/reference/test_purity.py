"""Inputs are never written, and no output shares memory with an input."""

from itertools import combinations
from typing import Any

import numpy as np
import optree
import pytest

import bloop_ref
from bloop_ref import Bloop, HierarchicalBloop, surgery

SHAPES = ((4, 3), (3,), ())


def tree(seed: int, dtype: str) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=shape).astype(dtype)) for shape in SHAPES]


def calls(options: dict[str, Any]) -> dict[str, Any]:
    bloop = Bloop(1.0, 0.5, **options)
    levels = HierarchicalBloop([1.0, 0.5], 0.5, **options)
    return {
        "bloop": lambda g, a, e: bloop.step([g, a], bloop.init(g)._replace(memory=(e,))),
        "init": lambda g, a, e: bloop.init(g),
        "levels": lambda g, a, e: levels.step(
            [g, a, e], levels.init(g, 3)._replace(memory=(e, levels.init(g, 3).memory[1]))
        ),
    }


FUNCTIONS: dict[str, Any] = {
    "direction": lambda g, a, e: bloop_ref.bloop_direction(g, a, e, lam=0.0),
    "average": lambda g, a, e: [bloop_ref.update_ema(e, g, rho=rho) for rho in (0.0, 0.5, 1.0)],
    "projection": lambda g, a, e: [
        bloop_ref.project_orthogonal(g, *span) for span in ([], [a], [a, e])
    ],
    "combine": lambda g, a, e: bloop_ref.combine([(1, 0, 0), (0, 1, 0), (0, 0, 0)], [g, a, e]),
    "mixed": lambda g, a, e: surgery.Mixed(0.0)(g, a),
    "pcgrad": lambda g, a, e: surgery.PCGrad(0.0)(g, a),
    "barrier": lambda g, a, e: surgery.DynamicBarrier(0.0)(g, a),
    **{
        f"{name}-{number}": call
        for number, options in enumerate(
            (
                {},
                {"init": "first", "project_on": "updated", "nonfinite": "propagate"},
                {"init": "first", "ema_dtype": "float32"},
            )
        )
        for name, call in calls(options).items()
    },
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_nothing_is_written_or_shared(name: str, dtype: str, framework: str) -> None:
    vectors: Any = [tree(seed, dtype) for seed in range(3)]
    backup = optree.tree_map(np.copy, vectors)
    if framework == "torch":
        torch = pytest.importorskip("torch", reason="torch is not installed")
        inputs = optree.tree_map(torch.from_numpy, vectors)
    else:
        inputs = vectors
    outputs = FUNCTIONS[name](*inputs)
    optree.tree_map(np.testing.assert_array_equal, vectors, backup)
    arrays = [np.asarray(x) for x in optree.tree_leaves(outputs)]
    for out in arrays:
        assert not any(np.shares_memory(out, leaf) for leaf in optree.tree_leaves(vectors))
    assert not any(np.shares_memory(x, y) for x, y in combinations(arrays, 2))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_read_only_inputs_will_do(name: str) -> None:
    vectors: Any = [tree(seed, "float64") for seed in range(3)]
    for leaf in optree.tree_leaves(vectors):
        leaf.flags.writeable = False
    for out in optree.tree_leaves(FUNCTIONS[name](*vectors)):
        assert out.flags.writeable
