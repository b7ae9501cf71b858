"""Trees, leaves that are missing, empty or without dimensions, dtypes, devices, complex leaves."""

from collections import OrderedDict
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import optree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop_proofs import tolerances
from bloop_ref import (
    Bloop,
    HierarchicalBloop,
    bloop_direction,
    combine,
    diagnostics,
    hierarchical_direction,
    inner_products,
    project_orthogonal,
    surgery,
    update_ema,
)


class Layer(NamedTuple):
    weight: Any
    bias: Any


W, V, U = np.array([3.0, 4.0]), np.array([-5.0, 1.0]), np.array([1.0, -2.0])
TREES: list[Any] = [
    lambda x: x,
    lambda x: [x[:1], x[1:]],
    lambda x: (x[0], {"second": x[1]}),
    lambda x: {"b": [x[1:]], "a": (x[:1], ())},
    lambda x: Layer(weight=x.reshape(1, 2), bias=None),
    lambda x: OrderedDict(z=x[:1].reshape(1, 1, 1), a=np.zeros((0, 3)), b=x[1:]),
]


@pytest.mark.parametrize("tree", TREES)
def test_a_vector_is_all_leaves_together(tree: Any) -> None:
    def flat(vector: Any) -> np.ndarray:
        leaves = optree.tree_leaves(vector, none_is_leaf=False)
        return np.concatenate([np.ravel(leaf) for leaf in leaves])

    def in_order(x: np.ndarray) -> np.ndarray:
        return flat(tree(x))

    d = bloop_direction(tree(W), tree(V), tree(U), lam=0.5)
    assert optree.tree_structure(d) == optree.tree_structure(tree(W))
    expected = bloop_direction(*map(in_order, (W, V, U)), lam=0.5)
    np.testing.assert_array_equal(flat(d), expected)
    shapes = [np.shape(x) for x in optree.tree_leaves(tree(W))]
    assert [x.shape for x in optree.tree_leaves(d)] == shapes


@pytest.mark.parametrize("dtypes", [("float16", "float64", "float32"), ("float32",) * 3])
def test_dtypes_of_the_outputs(dtypes: tuple[str, str, str], library: Any) -> None:
    of_main, of_aux, of_ema = (library.dtypes(dtype, "float32")[0] for dtype in dtypes)
    g, a, e = (
        library.vector([x.astype(dtype)]) for x, dtype in ((W, of_main), (V, of_aux), (U, of_ema))
    )
    direction = library.values(bloop_direction(g, a, e, lam=0.5))
    average = library.values(update_ema(e, g, rho=0.5))
    assert direction[0].dtype == of_main
    assert average[0].dtype == of_ema
    np.testing.assert_array_equal(average[0], [2, 1])
    # <a, e> = -7, ||e||^2 = 5: d = g + (a + 7/5 e) / 2
    expected = np.array([1.2, 3.1])
    bound = tolerances.reference_direction_factor(2, wider_sums=False) * (5 + np.sqrt(26) / 2)
    u = tolerances.unit_roundoff(direction)
    assert np.linalg.norm(direction[0].astype(float) - expected) <= bound * u


def test_outputs_stay_on_their_devices(library: Any) -> None:
    from array_api_compat import device

    tree = {"x": W.astype(np.float32), "y": [np.float32(2), V.astype(np.float32)]}
    g = library.vector(tree)
    bloop, levels = Bloop(0.5, 0.5, init="first"), HierarchicalBloop([0.5, 0.5], 0.5)
    direction, state = bloop.step([g, g], bloop.init(g))
    deep, deep_state = levels.step([g, g, g], levels.init(g, losses=3))
    (combined,) = combine([(1, 2)], [g, g])
    for out in (
        direction,
        state.ema,
        deep,
        *deep_state.memory,
        combined,
        surgery.PCGrad()(g, g),
    ):
        expected = [device(x) for x in optree.tree_leaves(g)]
        assert [device(x) for x in optree.tree_leaves(out)] == expected


def test_missing_leaves_are_zeros(library: Any) -> None:
    zero = np.zeros(2)
    dtype = library.dtypes("float64", "float32")[0]

    def cast(tree: Any) -> Any:
        return library.vector([None if x is None else x.astype(dtype) for x in tree])

    def filled(tree: Any) -> Any:
        return cast([zero if x is None else x for x in tree])

    # the second leaf is a head of the auxiliary loss, the third an unused parameter
    g, a, e = [W, None, None, U], [V, U, None, None], [U, None, None, W]
    found, full = (
        library.values(bloop_direction(fill(g), fill(a), fill(e), lam=0.5))
        for fill in (cast, filled)
    )
    assert found[2] is None
    for i in (0, 1, 3):
        np.testing.assert_array_equal(found[i], full[i])
        assert found[i].dtype == dtype
    np.testing.assert_array_equal(found[1], U / 2)
    average = library.values(update_ema(cast(e), cast(g), rho=0.25))
    assert average[1] is None
    assert average[2] is None
    np.testing.assert_array_equal(average[3], 0.75 * W + 0.25 * U)


def test_missing_leaves_in_the_state() -> None:
    bloop = Bloop(0.5, 0.5)
    # an average that was made for the parameters holds zeros where no main gradient comes
    direction, state = bloop.step([[W, None], [V, U]], bloop.init([W, U]))
    np.testing.assert_array_equal(state.ema[1], [0, 0])
    np.testing.assert_array_equal(direction[1], U / 2)
    # a frozen parameter has neither gradient: its direction is zero
    direction, state = bloop.step([[W, None], [V, None]], bloop.init([W, U]))
    np.testing.assert_array_equal(direction[1], [0, 0])
    # one that was made for the gradients grows where a gradient appears
    half = np.array([1, 2], np.float16)
    direction, state = bloop.step([[W, half], [V, None]], bloop.init([W, None]))
    np.testing.assert_array_equal(state.ema[1], [0.5, 1])
    assert state.ema[1].dtype == np.float32
    state = Bloop(0.5, 0.5, init="first").step([[W, half], [V, None]], bloop.init([W, None]))[1]
    np.testing.assert_array_equal(state.ema[1], half)


@pytest.mark.parametrize("absent", [None, [], {}, (None, None), ()])
def test_vectors_without_any_leaf(absent: Any) -> None:
    assert bloop_direction(absent, absent, absent, lam=0.5) == absent
    assert project_orthogonal(absent, absent) == absent
    assert project_orthogonal(absent, absent, absent) == absent
    assert update_ema(absent, absent, rho=0.5) == absent
    assert hierarchical_direction([absent] * 3, [absent] * 2, lams=[1, 1]) == absent
    assert float(inner_products([absent])[0][0]) == 0
    found = diagnostics(absent, absent, absent)
    assert set(map(float, [*found.norms, *chain(*found.cosines)])) == {0.0}
    bloop = Bloop(0.5, 0.5, init="first")
    direction, state = bloop.step([absent, absent], bloop.init(absent))
    assert (direction, state.ema) == (absent, absent)
    assert (int(state.count), int(state.skipped)) == (1, 0)


def test_leaves_without_entries(library: Any) -> None:
    empty = library.vector([np.zeros((0, 3), np.float32)])
    assert library.values(bloop_direction(empty, empty, empty, lam=0.5))[0].shape == (0, 3)
    assert library.values(project_orthogonal(empty, empty, empty))[0].shape == (0, 3)
    bloop = Bloop(0.5, 0.5)
    direction, state = bloop.step([empty, empty], bloop.init(empty))
    assert library.values(direction)[0].shape == library.values(state.ema)[0].shape == (0, 3)
    assert int(state.skipped) == 0


def test_leaves_without_dimensions_stay_arrays() -> None:
    leaf = np.array(2.0, np.float32)
    bloop = Bloop(0.5, 0.5)
    direction, state = bloop.step([leaf, leaf], bloop.init(leaf))
    for array in (direction, state.ema, *state[2:], project_orthogonal(leaf, leaf)):
        assert isinstance(array, np.ndarray)
        assert array.shape == ()
    assert bloop_direction(np.float32(2), np.float32(1), leaf, lam=1).dtype == np.float32


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_leaves_are_pairs_of_real_ones(dtype: str, library: Any) -> None:
    (dtype, *_) = library.dtypes(dtype, "complex64")
    real = "float32" if dtype == "complex64" else "float64"
    rng = np.random.default_rng(2)
    g, a, e = rng.normal(size=(3, 2, 2)).astype(real)
    as_pairs = library.values(
        bloop_direction(*(library.vector([x[0], x[1]]) for x in (g, a, e)), lam=0.5)
    )
    found = library.values(
        bloop_direction(
            *(library.vector([(x[0] + 1j * x[1]).astype(dtype)]) for x in (g, a, e)), lam=0.5
        )
    )
    assert found[0].dtype == dtype
    np.testing.assert_array_equal(found[0].real, as_pairs[0])
    np.testing.assert_array_equal(found[0].imag, as_pairs[1])


@settings(max_examples=40)
@given(data=st.data())
def test_complex_inner_product_is_real(data: st.DataObject, gradients: Any, roundings: Any) -> None:
    dtype = data.draw(st.sampled_from(["complex64", "complex128"]))
    g, a, e = data.draw(gradients(3, dtype))
    n = 2 * sum(x.size for x in g)
    factor = tolerances.reference_direction_factor(n, wider_sums=dtype == "complex64")
    assert roundings(bloop_direction(g, a, e, lam=0.5), g, a, e, lam=0.5) <= factor


def test_turning_a_gradient_by_i_makes_it_orthogonal() -> None:
    u = np.array([1 + 2j, 3 - 1j])
    np.testing.assert_array_equal(project_orthogonal(u * 1j, u), u * 1j)


def test_real_and_complex_leaves_in_one_tree() -> None:
    g = [np.array([1.0]), np.array([1j])]
    a = [np.array([2.0]), np.array([1 + 0j])]
    d = project_orthogonal(a, g)
    np.testing.assert_array_equal(d[0], [1.0])
    np.testing.assert_array_equal(d[1], [1 - 1j])
    assert [x.dtype for x in d] == [np.float64, np.complex128]
