"""Areas below fronts, domination, and intervals over seeds."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_reproduction.statistics import dominated, hypervolume, interval

SIDE = 6
points = st.lists(
    st.tuples(st.integers(0, SIDE + 1), st.integers(0, SIDE + 1)), min_size=1, max_size=6
)


@given(points)
def test_the_area_counts_the_unit_squares_that_are_dominated(front: list[tuple[int, int]]) -> None:
    squares = sum(
        any(x <= i and y <= j for x, y in front) for i, j in product(range(SIDE), repeat=2)
    )
    assert hypervolume(np.array(front, float), (SIDE, SIDE)) == squares


@given(points, points)
def test_a_point_is_dominated_by_one_no_worse_and_somewhere_better(
    front: list[tuple[int, int]], by: list[tuple[int, int]]
) -> None:
    count = sum(any(p != q and q[0] <= p[0] and q[1] <= p[1] for q in by) for p in front)
    share = dominated(np.array(front, float), by=np.array(by, float))
    assert round(share * len(front)) == count


def test_an_interval_is_about_the_value_and_always_the_same() -> None:
    values = list(np.random.default_rng(0).standard_normal(8))
    number = interval("x", values)
    assert number.low < number.value == np.mean(values) < number.high
    assert interval("x", values) == number
    assert interval("x", [10 * value for value in values]).high > number.high


def test_an_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    """Of 8 normal values a percentile interval covers in some 90 of 100 cases, never in all."""
    generator = np.random.default_rng(1)
    found = [interval("x", generator.standard_normal(8), resamples=500) for _ in range(100)]
    assert 80 <= sum(number.low <= 0 <= number.high for number in found) < 100


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0], [1.0, np.inf], [1.0, np.nan]])
def test_without_spread_or_with_what_is_not_finite_there_is_no_width(values: list[float]) -> None:
    number = interval("x", values)
    np.testing.assert_array_equal([number.low, number.high], [np.mean(values)] * 2)
