"""Hierarchical Bloop from a Gram matrix: the vectors' own Gram-Schmidt, exactly."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_ref import hierarchical_direction
from bloop_ref.surgery.rows import hierarchy_pairs, hierarchy_row

small = st.integers(-3, 3).map(Fraction)


def from_gram(gradients: Any, references: Any, lams: Any) -> list[Any]:
    """Return the direction; only the inner products that are asked for are given."""
    vectors, levels = [*gradients, *references], len(lams)
    gram: list[list[Any]] = [[None] * len(vectors) for _ in vectors]
    for i, j in hierarchy_pairs(levels):
        gram[i][j] = gram[j][i] = sum(x * y for x, y in zip(vectors[i], vectors[j], strict=True))
    row = hierarchy_row(gram, [1] * len(vectors), lams=lams, rank_tolerance=0)
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
    gram = np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-20]])
    whole = np.full((5, 5), 1.0)
    whole[3:, 3:], whole[2, 4] = gram, 0.5
    for tolerance, kept in ((2.0**-12, True), (2.0**-8, False)):
        row = hierarchy_row(whole.tolist(), [1] * 5, lams=(1, 1), rank_tolerance=tolerance)
        assert (row[4] != 0) == kept


@pytest.mark.parametrize("place", [(3, 3), (4, 4), (1, 3), (2, 4)])
def test_bad_inner_products_show(place: tuple[int, int]) -> None:
    gram = (np.eye(5) + 0.25).tolist()
    i, j = place
    gram[i][j] = gram[j][i] = float("nan")
    row = hierarchy_row(gram, [1] * 5, lams=(1, 1), rank_tolerance=0)
    assert any(np.isnan(weight) for weight in row)
