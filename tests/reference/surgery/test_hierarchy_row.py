"""Hierarchical Bloop from a Gram matrix: the vectors' own Gram-Schmidt, exactly."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_ref import Gramian, HierarchicalBloop, hierarchical_direction

small = st.integers(-3, 3).map(Fraction)


def from_gram(gradients: Any, references: Any, lams: Any) -> list[Any]:
    """Return the direction; only the inner products that are asked for are given."""
    vectors, method = [*gradients, *references], HierarchicalBloop(lams, 1, rank_tolerance=0)
    products = {
        (i, j): sum(x * y for x, y in zip(vectors[i], vectors[j], strict=True))
        for i, j in method.pairs(len(gradients))
    }
    row, _ = method.weights(Gramian(products, size=len(vectors)), ())
    return [
        sum(c * x for c, x in zip(row, entry, strict=True)) for entry in zip(*vectors, strict=True)
    ]


@given(data=st.data(), levels=st.integers(1, 4), size=st.integers(1, 4))
def test_it_is_the_projection_of_vectors(data: st.DataObject, levels: int, size: int) -> None:
    vector = st.lists(small, min_size=size, max_size=size)
    gradients = data.draw(st.lists(vector, min_size=levels + 1, max_size=levels + 1))
    references = data.draw(st.lists(vector, min_size=levels, max_size=levels))
    lams = data.draw(st.lists(small.map(abs), min_size=levels, max_size=levels))
    required = hierarchical_direction(
        *([np.array(v, dtype=object) for v in vectors] for vectors in (gradients, references)),
        lams=lams,
        rank_tolerance=0,
    )
    assert from_gram(gradients, references, lams) == list(required)


def test_a_nearly_dependent_reference_counts_by_the_tolerance() -> None:
    for tolerance, kept in ((2.0**-12, True), (2.0**-8, False)):
        method = HierarchicalBloop((1, 1), 1, rank_tolerance=tolerance)
        products = dict.fromkeys(method.pairs(3), 1.0)
        products |= {(4, 4): 1 + 2.0**-20, (2, 4): 0.5}
        row, _ = method.weights(Gramian(products, size=5), ())
        assert (row[4] != 0) == kept


@pytest.mark.parametrize("place", [(3, 3), (4, 4), (1, 3), (2, 4)])
def test_bad_inner_products_show(place: tuple[int, int]) -> None:
    method = HierarchicalBloop((1, 1), 1, rank_tolerance=0)
    products = {(i, j): (i == j) + 0.25 for i, j in method.pairs(3)} | {place: float("nan")}
    row, _ = method.weights(Gramian(products, size=5), ())
    assert any(np.isnan(weight) for weight in row)
