"""Every array library, compiled, lazy or spread over devices, gives what NumPy gives."""

from typing import Any

import numpy as np
import optree
import pytest

from bloop_ref import Gramian, HierarchicalBloop, surgery
from tests import tolerances

VALUES = np.random.default_rng(8).normal(size=(4, 5)).astype(np.float32)
ORDERS = [[1, 2], [2, 0], [0, 1]]

METHODS: dict[str, tuple[surgery.Method, int]] = {
    "mixed": (surgery.Mixed([0.5, 2.0], rescale=True), 3),
    "a_gem": (surgery.AGem(), 2),
    "barrier": (surgery.DynamicBarrier(0.5), 3),
    "weighted": (surgery.CosineGate(), 3),
    "unweighted": (surgery.CosineGate(weighted=False, tie=0.5), 3),
    "mgda": (surgery.MGDA(), 2),
    "grad_vac": (surgery.GradVac(0.5, orders=ORDERS), 3),
    "grad_vac, one-sided": (surgery.GradVac(0.5, two_sided=False, seed=3), 3),
    "pcgrad": (surgery.PCGrad(seed=7), 3),
    "balance": (surgery.MetaBalance(), 3),
    "cagrad": (surgery.CAGrad(0.5), 2),
    "equalised": (surgery.SamGS(gamma=2), 3),
    "modulated": (surgery.SamGS(gamma=0), 3),
    "per leaf": (surgery.PerLeaf(surgery.MetaBalance(relaxation=1)), 3),
    "hierarchy": (HierarchicalBloop([0.5, 2.0], 0.5), 3),
}


def tree(row: np.ndarray, k: int) -> Any:
    """Return a gradient of four leaves, one of them lacking in all and one in some gradients."""
    return {"w": row[:3], "b": [row[3:4], None], "late": row[4:] if k else None}


def leaves_of(state: Any) -> list[Any]:
    return optree.tree_leaves(state)


def run(step: Any, gradients: Any, state: Any) -> Any:
    first, state = step(gradients, state)
    return (first, *step(gradients[::-1], state))


def assert_like_numpy(name: str, library: Any) -> None:
    """Assert that two steps of a method give what they give on NumPy."""
    method, losses = METHODS[name]
    here = [tree(row, k) for k, row in enumerate(VALUES[:losses])]
    expected = run(method.step, here, method.init(here[1], losses=losses))
    there = [library.vector(g) for g in here]
    start = method.init(there[1], losses=losses)
    found = library.values(run(library.run(method.step), there, start))
    assert optree.tree_structure(found) == optree.tree_structure(expected)
    # a direction is a combination of gradients, or of degree two over a similarity not near 1
    size = float(np.sum(VALUES**2)) * 4**losses
    bound = tolerances.likeness_bound(2.0**-24, VALUES.size, size)
    for x, y in zip(optree.tree_leaves(found), optree.tree_leaves(expected), strict=True):
        assert x.dtype == np.asarray(y).dtype or x.ndim == 0
        assert np.all(np.abs(np.asarray(x, float) - np.asarray(y, float)) <= bound)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    "library", ["strict-spread", "torch", "jax-jit-x64", "dask"], indirect=True
)
def test_every_method(name: str, library: Any) -> None:
    assert_like_numpy(name, library)


def test_every_library(library: Any) -> None:
    for name in ("balance", "mgda", "unweighted"):
        assert_like_numpy(name, library)


@pytest.mark.parametrize("library", ["torch", "jax-jit", "dask"], indirect=True)
def test_a_value_of_the_loss_may_be_traced(library: Any) -> None:
    method = surgery.DynamicBarrier(level=0.5)
    m, a = VALUES[:2]

    def direction(m: Any, a: Any, loss: Any) -> Any:
        return method(m, a, main_loss=loss)

    loss = np.array(2.0, np.float32)
    found = library.values(library.run(direction)(*map(library.vector, (m, a, loss))))
    bound = tolerances.surgery_factor() * 2.0**-24 * float(np.abs(VALUES[:2]).sum())
    assert np.all(np.abs(found - direction(m, a, 2.0)) <= bound)


SEARCHES = {
    "MGDA": surgery.MGDA(),
    "CAGrad": surgery.CAGrad(0.5),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_needs_values(name: str, library: Any) -> None:
    g = [library.vector(row) for row in VALUES[:3]]
    if library.name == "dask" or library.run(SEARCHES[name]) is not SEARCHES[name]:
        message = f"{name} of more than two gradients searches by their values, which must be at"
        with pytest.raises(TypeError, match=message):
            library.run(SEARCHES[name])(*g)
        return
    found, expected = library.values(SEARCHES[name](*g)), SEARCHES[name](*VALUES[:3])
    # either satisfies the conditions to the bound; strictly convex, it is near the one minimum
    bound = 2 * tolerances.search_bound(3, float(np.abs(VALUES).sum()))
    coarse = tolerances.likeness_bound(2.0**-24, VALUES.size, float(np.sum(VALUES**2)))
    assert np.all(np.abs(found - expected) <= bound + coarse)


def test_nothing_lazy_is_computed() -> None:
    dask = pytest.importorskip("dask", reason="dask is not installed")
    da = pytest.importorskip("dask.array", reason="dask is not installed")

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("something was computed")

    with dask.config.set(scheduler=refuse):
        g = [da.from_array(row, chunks=2) for row in VALUES[:3]]
        for method, losses in METHODS.values():
            method.step(g[:losses], method.init(g[0], losses=losses))


@pytest.mark.parametrize("name", ["pcgrad", "balance", "equalised"])
def test_a_second_step_does_not_recompile(name: str) -> None:
    jax = pytest.importorskip("jax", reason="jax is not installed")
    method, losses = METHODS[name]
    traces = []

    def step(gradients: Any, state: Any) -> Any:
        traces.append(1)
        return method.step(gradients, state)

    g = [jax.numpy.asarray(row) for row in VALUES[:losses]]
    compiled, state = jax.jit(step), method.init(g[0], losses=losses)
    for _ in range(3):
        _, state = compiled(g, state)
    assert len(traces) == 1


def test_states_are_arrays_and_nothing_is_zero() -> None:
    for method, losses in METHODS.values():
        g = [None] * losses
        d, state = method.step(g, method.init(None, losses=losses))
        assert d is None
        assert all(isinstance(x, np.ndarray) for x in leaves_of(state))
        _, state = method.step(list(VALUES[:losses]), method.init(VALUES[0], losses=losses))
        assert all(isinstance(x, np.ndarray) for x in leaves_of(state))


def test_methods_are_values() -> None:
    for method, _ in METHODS.values():
        assert hash(method) == hash(method)
    assert surgery.PCGrad(0.5, seed=1) == surgery.PCGrad(0.5, seed=1)
    assert surgery.PCGrad([1.0, 2.0]) != surgery.PCGrad([1.0, 3.0])


def test_rows_on_numbers_of_one_s_own() -> None:
    # what a backend does that brings its own inner products: here over 1, and over 2
    m, a = np.array([3.0, 4.0]), np.array([-5.0, 1.0])
    for method, losses in METHODS.values():
        if not isinstance(method, surgery.GramMethod) or losses != 2:
            continue
        for unit in (1, 1.0, 2.0):
            over = [m / unit, a / unit]
            products = {(i, j): float(over[i] @ over[j]) for i, j in method.pairs(2)}
            gram = Gramian(products, size=2, unit=unit)
            (row, *_), _ = method.matrix(gram, method.init(m).scalars)
            found = row[0] * m + row[1] * a
            expected, _ = method.step([m, a], method.init(m))
            bound = tolerances.likeness_bound(2.0**-53, 2, 4 * tolerances.norm(m - a))
            assert tolerances.norm(found - expected) <= bound
