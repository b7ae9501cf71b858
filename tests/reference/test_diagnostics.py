"""Norms, cosines and the projection coefficient."""

from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_proofs import tolerances
from bloop_ref import (
    Bloop,
    HierarchicalBloop,
    diagnostics,
    project_orthogonal,
    surgery,
    update_ema,
)

U = {"float32": 2.0**-24, "float64": 2.0**-53}


@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]))
def test_against_integers(data: st.DataObject, dtype: str) -> None:
    def vector() -> np.ndarray:
        entries = st.lists(st.integers(-9, 9), min_size=3, max_size=3).filter(any)
        return np.array(data.draw(entries), dtype)

    g, a, e = vector(), vector(), vector()
    found = diagnostics([g], [a], [e])
    squares = {"main": g @ g, "aux": a @ a, "ema": e @ e}
    products = {"main_aux": g @ a, "main_ema": g @ e, "aux_ema": a @ e}
    # small integers: every inner product is exact, so roots, products and quotients alone round
    for name, square in squares.items():
        norm = np.sqrt(np.float64(square))
        assert abs(getattr(found, f"norm_{name}") - norm) <= tolerances.norm_bound(norm)
    for name, product in products.items():
        left, right = name.split("_")
        cosine = np.float64(product) / np.sqrt(np.float64(squares[left] * squares[right]))
        assert abs(getattr(found, f"cos_{name}") - cosine) <= tolerances.cosine_bound()
    coefficient = np.float64(products["aux_ema"]) / np.float64(squares["ema"])
    scale = float(np.sqrt(np.float64(squares["aux"]) / np.float64(squares["ema"])))
    bound = tolerances.diagnostics_bound(U["float64"], 3, scale)
    assert abs(found.coefficient - coefficient) <= bound


def test_zero_vectors_have_cosine_zero(library: Any) -> None:
    zero, v = (library.vector([np.array(x, np.float32)]) for x in ([0, 0], [3, 4]))
    for vectors in ((zero, v, v), (v, zero, v), (v, v, zero), (zero, zero, zero)):
        found = library.values(diagnostics(*vectors))
        sizes = [0.0 if x is zero else 5.0 for x in vectors]
        np.testing.assert_array_equal(found.norms, sizes)
        np.testing.assert_array_equal(found.cosines, np.multiply.outer(sizes, sizes) / 25)
        assert (found.norm_main, found.norm_aux, found.norm_ema) == found.norms
        assert found.cosines[0][1:] == (found.cos_main_aux, found.cos_main_ema)
        assert found.cosines[1][2] == found.cos_aux_ema
        assert found.coefficient == (1.0 if sizes[1] and sizes[2] else 0.0)


@pytest.mark.parametrize("common", [1e-300, 1.0, 1e300])
@pytest.mark.parametrize("size", [1e-140, 1.0, 1e140])
def test_extreme_scales(size: float, common: float) -> None:
    if common != 1.0:  # what is far from 1 already may go farther in one direction only
        size = min(size, 1 / size) if common > 1 else max(size, 1 / size)
    vectors = size * np.array([3.0, 4.0]), np.array([-5.0, 0.0]), np.array([6.0, 8.0])
    found = diagnostics(*(common * v for v in vectors))
    size *= common
    assert abs(found.norm_main / size - 5) <= tolerances.norm_bound(5.0)
    assert abs(found.cos_main_aux + 0.6) <= tolerances.cosine_bound()
    assert abs(found.cos_main_ema - 1) <= tolerances.cosine_bound()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_are_no_scalars_of_numpy(dtype: str) -> None:
    v = np.ones(2, dtype)
    bloop = Bloop(0.5, 0.5)
    for found in (diagnostics(v, v, v), bloop.diagnostics([v, v], bloop.init(v))):
        for x in (*found.norms, *chain(*found.cosines), found.coefficient):
            assert isinstance(x, np.ndarray)
            assert (x.shape, x.dtype) == ((), np.float64)


@pytest.mark.parametrize("project_on", ["previous", "updated"])
def test_of_the_step_to_come(project_on: Any) -> None:
    g, a, e = np.random.default_rng(15).normal(size=(3, 4))
    bloop = Bloop(0.5, 0.25, project_on=project_on)
    state = bloop.init(g)._replace(memory=(e,))
    used = e if project_on == "previous" else update_ema(e, g, rho=0.25)
    assert bloop.diagnostics([g, a], state) == diagnostics(g, a, used)


def test_the_coefficient_is_what_the_projection_takes_out() -> None:
    a, e = np.array([3.0, 1.0]), np.array([2.0, 0.0])
    coefficient = diagnostics(e, a, e).coefficient
    np.testing.assert_array_equal(a - coefficient * e, project_orthogonal(a, e))


@pytest.mark.parametrize("project_on", ["previous", "updated"])
def test_leaf_by_leaf_the_long_vectors_are_seen(project_on: Any) -> None:
    bloop = Bloop(0.5, 0.25, project_on=project_on)
    g, a, e = ([v[:3], v[3:]] for v in np.random.default_rng(16).normal(size=(3, 5)))
    state = bloop.init(g)
    by_leaf = tuple(state._replace(memory=(leaf,)) for leaf in e)
    found = surgery.PerLeaf(bloop).diagnostics([g, a], by_leaf)
    assert found == bloop.diagnostics([g, a], state._replace(memory=(e,)))
    unused = surgery.PerLeaf(bloop).diagnostics([[g[0], None], [a[0], None]], by_leaf)
    assert unused == bloop.diagnostics([g[:1], a[:1]], state._replace(memory=(e[:1],)))


@pytest.mark.parametrize(
    ("method", "losses", "names"),
    [
        (surgery.MGDA(), 1, ("main",)),
        (surgery.PCGrad(), 2, ("main", "aux")),
        (Bloop(0.5, 0.5), 2, ("main", "aux", "ema")),
        (surgery.PerLeaf(Bloop(0.5, 0.5)), 2, ("main", "aux", "ema")),
        (surgery.SamGS(), 2, ("main", "aux", "ema_0", "ema_1")),
        (surgery.MGDA(), 3, ("main", "aux_1", "aux_2")),
        (HierarchicalBloop([1, 1], 0.5), 3, ("main", "aux_1", "aux_2", "ema_0", "ema_1")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_numbers_have_flat_names(method: Any, losses: int, names: tuple[str, ...]) -> None:
    gradients = list(np.random.default_rng(17).normal(size=(losses, 4)))
    _, state = method.step(gradients, method.init(gradients[0], losses))
    found = method.diagnostics(gradients, state)
    flat = found.as_dict("of/")
    assert found.names == names
    for i, one in enumerate(names):
        assert flat.pop(f"of/norm_{one}") is found.norms[i]
        for j, other in enumerate(names[:i]):
            assert flat.pop(f"of/cos_{other}_{one}") is found.cosines[j][i]
    if names == ("main", "aux", "ema"):
        assert flat.pop("of/coefficient") == found.coefficient
    assert flat == {}


def test_names_without_a_prefix_are_those_of_the_properties() -> None:
    found = diagnostics(*np.random.default_rng(18).normal(size=(3, 4)))
    assert all(getattr(found, name) == x for name, x in found.as_dict().items())
    assert len(found.as_dict()) == 7
