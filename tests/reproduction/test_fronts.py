"""Fronts by seed, what they dominate, and heights between their points."""

import math

import numpy as np

from bloop_reproduction.fronts import (
    common,
    decades,
    fronts,
    height,
    main_in_decades,
    seeds,
    select,
    values,
    verdict,
)
from bloop_reproduction.statistics import areas, gains
from tests.reproduction.rows import LAMS, SEEDS, fronts_of


def test_a_front_is_of_one_seed_and_in_order_of_lam() -> None:
    rows = fronts_of("method", {"a": 1.0, "b": 2.0})[::-1]
    found = fronts(rows, method="b")
    assert [*found] == seeds(rows) == [*SEEDS]
    assert found[0].tolist() == [[1 / lam, 2 * lam] for lam in LAMS]
    assert len(select(rows, method="a", seed=3)) == len(LAMS)
    assert values(rows, "main", method="a", lam=1.0).tolist() == [1 + 0.01 * s for s in SEEDS]


def test_planes() -> None:
    measured = {"aux": 100.0, "main": 0.1}
    assert decades(measured) == (2.0, -1.0)
    assert main_in_decades(measured) == (100.0, -1.0)
    assert all(map(math.isfinite, decades({"aux": 0.0, "main": 0.0})))
    assert math.isnan(decades({"aux": 1.0, "main": math.nan})[1])


def test_the_area_is_a_share_of_the_box_that_all_points_span() -> None:
    """A quarter of the box for the point in its middle, whatever the axes' units."""
    for unit in (1.0, 1024.0):
        corners, middle = [[0.0, unit], [4.0, 0.0]], [[2.0, unit / 2]]
        outer, inner = areas({0: corners}, {0: middle})
        assert (outer.tolist(), inner.tolist()) == ([0.0], [0.25])
        assert gains({0: middle}, {0: corners}) == [0.25]


def test_a_run_that_diverged_dominates_nothing() -> None:
    box, lost = [[0.0, 1.0], [1.0, 0.0]], [[math.nan, math.nan], [0.5, math.inf], [0.5, 0.5]]
    assert [a.tolist() for a in areas({0: box}, {0: lost})] == [[0.0], [0.25]]
    assert gains({0: lost[:2]}, {0: lost[:2]}) == [0.0]


def test_heights_are_interpolated_where_both_fronts_are() -> None:
    one, other = np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([[1.0, 1.0], [3.0, 0.0]])
    assert common([one, other]) == (1.0, 2.0)
    assert height(one, 1.5) == 1.0
    assert height(other, 2.0) == 0.5


def test_verdicts() -> None:
    assert [verdict(parts) for parts in ([True, True], [True, False], [False, False])] == [
        "holds",
        "in part",
        "does not hold",
    ]
