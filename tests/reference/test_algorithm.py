"""Algorithm 1 as the class runs it: order, options, schedules, state."""

from typing import Any

import numpy as np
import optree
import pytest

from bloop_ref import Bloop, bloop_direction, update_ema

G: Any = {"w": np.array([3.0, 4.0], np.float32), "b": [np.array(2.0, np.float32), None]}
A: Any = {"w": np.array([-5.0, 1.0], np.float32), "b": [np.array(-1.0, np.float32), None]}
E: Any = {"w": np.array([1.0, 2.0], np.float32), "b": [np.array(-2.0, np.float32), None]}


def assert_same(found: Any, expected: Any) -> None:
    """Assert equal structures, dtypes, shapes and bits."""
    optree.tree_map(np.testing.assert_array_equal, found, expected)
    dtypes = [[x.dtype for x in optree.tree_leaves(tree)] for tree in (found, expected)]
    assert dtypes[0] == dtypes[1]


def doubled(tree: Any) -> Any:
    return optree.tree_map(lambda x: 2 * x, tree)


def halved(tree: Any) -> Any:
    return optree.tree_map(lambda x: x / 2, tree)


def two_steps(bloop: Bloop, library: Any) -> Any:
    """Return both directions and the last state, for gradients that change."""
    step, state = library.run(bloop.step), bloop.init(library.vector(G))
    first, state = step([library.vector(G), library.vector(A)], state)
    second, state = step([library.vector(doubled(A)), library.vector(G)], state)
    return library.values((first, second, (state.ema, state.count, state.skipped)))


def test_projects_on_the_average_of_earlier_steps(library: Any) -> None:
    first, second, (ema, count, skipped) = two_steps(Bloop(0.5, 0.25), library)
    zero = optree.tree_map(np.zeros_like, G)
    after_one = update_ema(zero, G, rho=0.25)
    assert_same(first, bloop_direction(G, A, zero, lam=0.5))
    assert_same(second, bloop_direction(doubled(A), G, after_one, lam=0.5))
    assert_same(ema, update_ema(after_one, doubled(A), rho=0.25))
    assert (count, skipped) == (2, 0)
    assert count.dtype == skipped.dtype == np.int32
    assert count.shape == skipped.shape == ()


def test_can_project_on_the_updated_average(library: Any) -> None:
    bloop = Bloop(0.5, 0.25, project_on="updated")
    first, second, (ema, _, _) = two_steps(bloop, library)
    after_one = update_ema(optree.tree_map(np.zeros_like, G), G, rho=0.25)
    after_two = update_ema(after_one, doubled(A), rho=0.25)
    assert_same(first, bloop_direction(G, A, after_one, lam=0.5))
    assert_same(second, bloop_direction(doubled(A), G, after_two, lam=0.5))
    assert_same(ema, after_two)


def test_can_start_with_the_first_gradient(library: Any) -> None:
    first, second, (ema, _, _) = two_steps(Bloop(0.5, 0.25, init="first"), library)
    assert_same(first, bloop_direction(G, A, G, lam=0.5))
    assert_same(second, bloop_direction(doubled(A), G, G, lam=0.5))
    assert_same(ema, update_ema(G, doubled(A), rho=0.25))


def test_can_be_rescaled(library: Any) -> None:
    plain, rescaled = (two_steps(Bloop(1.0, 0.5, rescale=on), library) for on in (False, True))
    for found, expected in zip(rescaled[:2], plain[:2], strict=True):
        assert_same(found, halved(expected))
    assert_same(rescaled[2], plain[2])


def test_takes_functions_of_the_step_count(library: Any) -> None:
    # whole numbers, because the array API mixes no float with the integer count
    first, second, (ema, _, _) = two_steps(Bloop(lambda t: 1 + 2 * t, lambda t: 1 - t), library)
    assert_same(first, bloop_direction(G, A, optree.tree_map(np.zeros_like, G), lam=1))
    assert_same(second, bloop_direction(doubled(A), G, G, lam=3))
    assert_same(ema, G)


def test_takes_scalar_arrays(library: Any) -> None:
    zero = optree.tree_map(np.zeros_like, G)

    def program(g_main: Any, g_aux: Any, lam: Any, rho: Any) -> Any:
        bloop = Bloop(lam, rho)
        direction, state = bloop.step([g_main, g_aux], bloop.init(g_main))
        return direction, state.ema

    scalars = [library.place(np.array(x, np.float32), 1) for x in (0.5, 0.25)]
    found = library.values(library.run(program)(library.vector(G), library.vector(A), *scalars))
    assert_same(found, (bloop_direction(G, A, zero, lam=0.5), update_ema(zero, G, rho=0.25)))


def test_takes_an_integer_array_as_a_weight(library: Any) -> None:
    two = library.place(np.array(2, np.int32), 0)
    found = bloop_direction(*map(library.vector, (G, A, E)), lam=two)
    assert_same(library.values(found), bloop_direction(G, A, E, lam=2.0))


def test_full_batch_is_rho_one_on_the_updated_average() -> None:
    bloop = Bloop(0.5, 1.0, project_on="updated")
    direction, state = bloop.step([G, A], bloop.init(G))
    assert_same(direction, bloop_direction(G, A, G, lam=0.5))
    assert_same(state.ema, G)


@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_extreme_rho(rho: float) -> None:
    assert_same(update_ema(E, G, rho=rho), E if rho == 0 else G)


@pytest.mark.parametrize(
    ("dtype", "chosen", "expected"),
    [
        ("float16", None, "float32"),
        ("bfloat16", None, "float32"),
        ("float32", None, "float32"),
        ("float64", None, "float64"),
        ("complex64", None, "complex64"),
        ("complex128", None, "complex128"),
        ("float16", "float64", "float64"),
        ("float32", np.float64, "float64"),
        ("float64", "float32", "float32"),
        ("complex64", np.float64, "complex128"),
        ("complex128", "float32", "complex64"),
    ],
)
def test_dtype_of_the_average(dtype: str, chosen: Any, expected: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
    gradient = np.ones(3, ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    bloop = Bloop(0.5, 0.25, ema_dtype=chosen)
    state = bloop.init(gradient)
    direction, after = bloop.step([gradient, gradient], state)
    assert state.ema.dtype == after.ema.dtype == np.dtype(expected)
    assert direction.dtype == gradient.dtype
    np.testing.assert_array_equal(after.ema, np.full(3, 0.25))


def test_dtype_of_the_average_in_another_library(library: Any) -> None:
    for chosen in library.dtypes("float32", "float64"):
        dtype = getattr(library.xp, chosen)
        for given in (chosen, dtype):
            state = Bloop(0.5, 0.25, ema_dtype=given).init(library.vector(G))
            assert all(x.dtype == dtype for x in optree.tree_leaves(state.ema))


def test_counters_restored_as_numbers() -> None:
    bloop = Bloop(0.5, 0.25, init="first")
    _, state = bloop.step([G, A], bloop.init(G))
    restored = state._replace(count=1, skipped=0)
    for step in (bloop.step([G, A], state), bloop.step([G, A], restored)):
        assert_same(step, bloop.step([G, A], state))
