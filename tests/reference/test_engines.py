"""Steps on inner products and combinations of other people's making."""

from typing import Any

import numpy as np
import optree
import pytest

from bloop_proofs import tolerances
from bloop_ref import Bloop, HierarchicalBloop, inner_products, linear, surgery
from bloop_ref.driver import Engine, advance
from bloop_ref.vectors import all_finite

G, A, B = np.random.default_rng(21).normal(size=(3, 5))

ENGINE = Engine(
    linear.gramian,
    lambda stack, rows, dtypes: [
        linear.combination(stack, *pair) for pair in zip(rows, dtypes, strict=True)
    ],
    all_finite,
)
"""Somebody else's operations, which happen to be the reference's."""

OF_ENGINES: dict[str, Any] = {
    "bloop": Bloop(0.5, 0.25),
    "first": Bloop(0.5, 0.25, init="first", rescale=True),
    "updated": Bloop(0.5, 0.25, project_on="updated", nonfinite="propagate"),
    "meta-balance": surgery.MetaBalance(),
    "pcgrad": surgery.PCGrad(0.5),
    "sam-gs": surgery.SamGS(),
}


@pytest.mark.parametrize("name", OF_ENGINES)
def test_a_step_on_the_operations_of_others(name: str) -> None:
    method: Any = OF_ENGINES[name]
    state = method.init(G)
    for m, a in ((G, A), (A, B)):
        stack = method.aligned([m, a], state)
        (direction,), after, _ = advance(method, stack, state, ENGINE)
        expected, state = method.step([m, a], state)
        np.testing.assert_array_equal(direction, expected)
        memory = tuple(map(stack.unflatten, after.memory))
        found: Any = after._replace(memory=memory)
        optree.tree_map(np.testing.assert_array_equal, found, state)


@pytest.mark.parametrize("rescale", [False, True])
def test_levels_on_the_operations_of_others(rescale: bool) -> None:
    method = HierarchicalBloop([0.5, 0.25], 0.5, rescale=rescale)
    state = method.init(G, losses=3)._replace(memory=(B, A))
    stack = method.aligned([G, A, B], state)
    (direction,), after, _ = advance(method, stack, state, ENGINE)
    expected, state = method.step([G, A, B], state)
    # of two references over their norms with the cosine c, (1 + |c|) / (1 - |c|)
    cosine = abs(float(inner_products([A / np.linalg.norm(A), B / np.linalg.norm(B)])[0][1]))
    sizes = [float(np.linalg.norm(x)) for x in (G, A, B)]
    condition = (1 + cosine) / (1 - cosine)
    bound = tolerances.hierarchy_gram_bound(2.0**-53, G.size, sizes, condition)
    bound += tolerances.hierarchy_bound(2.0**-53, sizes, (1 - cosine**2) ** -0.5)
    assert np.linalg.norm(direction - expected) <= bound
    for (x,), y in zip(after.memory, state.memory, strict=True):
        np.testing.assert_array_equal(x, y)


def test_which_methods_need_the_values() -> None:
    for method, of_three in (
        (surgery.MGDA(), True),
        (surgery.CAGrad(0.5), True),
        (surgery.PCGrad(), False),
    ):
        assert [method.reads_values(k) for k in (1, 2, 3)] == [False, False, of_three]
