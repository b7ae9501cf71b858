"""Inner products and combination by themselves."""

from fractions import Fraction
from typing import Any

import numpy as np
import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_ref import combine, inner_products
from tests import tolerances


def norm(tree: Any) -> float:
    return float(np.sqrt(sum(np.sum(np.square(np.float64(x))) for x in tree)))


@given(data=st.data(), dtype=st.sampled_from(["float16", "float32", "float64"]))
def test_inner_products_against_fractions(
    data: st.DataObject, dtype: str, gradients: Any, rational: Any
) -> None:
    u, v = data.draw(gradients(2, dtype))
    (uu, uv), (vu, vv) = inner_products([u, v])
    assert uv is vu
    for found, x, y in ((uu, u, u), (uv, u, v), (vv, v, v)):
        pairs = zip(rational(x), rational(y), strict=True)
        exact = Fraction(sum(np.sum(p * q) for p, q in pairs))
        bound = tolerances.inner_product_bound(
            sum(leaf.size for leaf in x),
            float(abs(exact)),
            norm(x) * norm(y),
            compensated=dtype == "float64",
        )
        assert abs(Fraction(float(found)) - exact) <= bound


def test_only_the_wanted_pairs_are_computed() -> None:
    u, v, w = np.ones(2), np.full(2, np.nan), np.array([1.0, 2.0])
    matrix = inner_products([u, v, w], pairs=[(2, 0), (2, 2)])
    assert matrix[0][2] is matrix[2][0]
    assert float(matrix[0][2]) == 3
    assert float(matrix[2][2]) == 5
    assert [matrix[i][j] for i, j in ((0, 0), (0, 1), (1, 1), (1, 2))] == [None] * 4
    assert inner_products([u], pairs=[]) == ((None,),)


def test_inner_products_are_arrays_beside_the_vectors(library: Any) -> None:
    from array_api_compat import device

    vector = library.vector([np.ones(2, np.float32), np.ones((), np.float32)])
    ((square,),) = inner_products([vector])
    assert square.shape == ()
    assert device(square) == device(vector[0])
    assert float(library.fetch(square)) == 3
    ((nothing,),) = inner_products([[None, library.vector(np.zeros((0, 2), np.float32))]])
    assert float(library.fetch(nothing)) == 0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_inner_products_are_no_scalars_of_numpy(dtype: str) -> None:
    vectors = [np.ones(3, dtype), np.ones(3, dtype)]
    for matrix in (inner_products(vectors), inner_products([None, None])):
        for entry in (*matrix[0], *matrix[1]):
            assert isinstance(entry, np.ndarray)
            assert not isinstance(entry, np.generic)
            assert (entry.shape, entry.dtype) == ((), np.float64)


@pytest.mark.parametrize(
    ("weight", "error", "shown"),
    [
        (1j, TypeError, "1j"),
        (np.array(1j), TypeError, "an array of dtype complex128"),
        (True, TypeError, "True"),
        (np.array(True), TypeError, "an array of dtype bool"),
        (None, TypeError, "None"),
        ("1", TypeError, "'1'"),
        (np.ones(1), ValueError, r"an array of shape \(1,\)"),
        (np.ones((1, 2)), ValueError, r"an array of shape \(1, 2\)"),
    ],
)
def test_weights_that_are_no_real_numbers(weight: Any, error: type[Exception], shown: str) -> None:
    for dtype in (np.float32, np.float64, np.complex64):
        vectors = [np.ones(2, dtype), np.ones(2, dtype)]
        with pytest.raises(
            error, match=rf"^weights\[1\]\[0\] must be a real number; found {shown}$"
        ):
            combine([(1, 1), (weight, 1)], vectors)


@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]))
def test_combination_is_rounded_once(data: st.DataObject, dtype: str, gradients: Any) -> None:
    vectors = data.draw(gradients(2, dtype))
    row = [data.draw(st.floats(-1e3, 1e3, width=32)) for _ in vectors]
    (found,) = combine([row], vectors)
    for leaf, x, y in zip(found, *vectors, strict=True):
        for z, p, q in zip(leaf.ravel(), x.ravel(), y.ravel(), strict=True):
            exact = Fraction(row[0]) * Fraction(float(p)) + Fraction(row[1]) * Fraction(float(q))
            sizes = abs(row[0] * float(p)) + abs(row[1] * float(q))
            bound = tolerances.combination_bound(
                float(abs(exact)), sizes, tolerances.unit_roundoff([leaf])
            )
            assert abs(Fraction(float(z)) - exact) <= bound


def test_an_absent_vector_is_not_read() -> None:
    bad = np.full(2, np.nan)
    (found,) = combine([(2, 0)], [np.ones(2), bad])
    np.testing.assert_array_equal(found, [2, 2])
    (found,) = combine([(0, 0)], [np.ones(2), bad])
    np.testing.assert_array_equal(found, [0, 0])
    # a zero that was computed is a number like any other
    (found,) = combine([(2, 0.0)], [np.ones(2), bad])
    assert np.all(np.isnan(found))


def test_several_outputs_with_dtypes_of_their_own(library: Any) -> None:
    x = library.vector([np.array([1.0, 2.0], np.float32), None])
    y = library.vector([np.array([4.0, 8.0], np.float32), np.array(2.0, np.float32)])
    dtype = getattr(library.xp, library.dtypes("float64", "float32")[0])
    first, second, third = combine(
        [(1, 2), (0.5, 0), (0, 0)],
        [x, y],
        dtypes=[[library.xp.float32] * 2, [dtype] * 2, [dtype] * 2],
    )
    assert [leaf.dtype for leaf in (*first, *second)] == [library.xp.float32] * 2 + [dtype] * 2
    expected: Any = [[[9, 18], 4], [[0.5, 1], 0], [[0, 0], 0]]
    for found, values in zip((first, second, third), expected, strict=True):
        optree.tree_map(np.testing.assert_array_equal, library.values(found), values)


def test_no_output_at_all() -> None:
    assert combine([], [np.ones(2)]) == ()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_library_without_any_leaf(count: int) -> None:
    matrix = inner_products([None] * count)
    assert [[float(x) for x in row] for row in matrix] == [[0.0] * count] * count
    assert combine([[1.0] * count], [None] * count) == (None,)
