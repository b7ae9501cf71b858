"""What lies too far apart for one scale shows as NaN; nothing nearer, narrower or unread does."""

from typing import Any

import numpy as np
import optree
import pytest

from bloop_ref import (
    Bloop,
    HierarchicalBloop,
    bloop_direction,
    inner_products,
    project_orthogonal,
    update_ema,
)
from tests import tolerances


def assert_same(found: Any, expected: Any) -> None:
    optree.tree_map(np.testing.assert_array_equal, found, expected)


A_FAR: list[tuple[Any, Any]] = [
    ([1e-245, 1e-245], [1e100, 0.0]),
    ([1.0, 2.0], [1e-200, 1e-200]),
    ([1e-200, 0.0], [1.0, 1.0]),
    ([1e300, 1e300], [1e100, -1e100]),
    ([5e-324, 0.0], [1.0, 0.0]),
]


@pytest.mark.parametrize(("a", "e"), A_FAR)
def test_what_is_out_of_reach_shows(a: Any, e: Any) -> None:
    a, e, g = np.array(a), np.array(e), np.ones(2)
    assert not np.any(np.isfinite(bloop_direction(g, a, e, lam=0.5)))
    assert not np.any(np.isfinite(project_orthogonal(a, e)))
    assert not np.any(np.isfinite(project_orthogonal(g, a, e)))
    bloop, levels = Bloop(0.5, 0.5), HierarchicalBloop([0.5], 0.5)
    for method in (bloop, levels):
        state = method.init(g)._replace(memory=(e,))
        direction, after = method.step([g, a], state)
        assert not np.any(np.isfinite(direction))
        # what is remembered comes of no inner product
        assert_same(after.ema, update_ema(e, g, rho=0.5))
    for row in inner_products([a, e]):
        assert all(np.isnan(x) for x in row)


def test_only_vectors_that_are_read_must_be_in_reach() -> None:
    a, e = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    expected = bloop_direction(np.zeros(2), a, e, lam=1.0)
    assert_same(bloop_direction(np.full(2, 1e-250), a, e, lam=1.0), expected)
    (_, ae, _), *_ = inner_products([a, e, np.full(2, 1e300)], pairs=[(0, 1)])
    assert float(ae) == 11


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_nothing_narrower_than_float64_is_out_of_reach(dtype: str, roundings: Any) -> None:
    info = np.finfo(dtype)
    small, large = (np.array([x, -x, x], dtype) for x in (info.smallest_subnormal, info.max / 4))
    bound = tolerances.reference_direction_factor(3, wider_sums=True)
    for a, e in ((small, large), (large, small)):
        vectors = [np.zeros(3, dtype)], [a], [e]
        assert roundings(bloop_direction(*vectors, lam=1.0), *vectors, lam=1.0) <= bound
