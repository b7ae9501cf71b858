"""The mask of IRE: what is counted, ties, bad values, and what it is blind to."""

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any, Literal

import numpy as np
import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_ref import ire

NAN, INF = float("nan"), float("inf")
Ties = Literal["include", "stable"]

SCORES = st.lists(st.integers(-6, 6), min_size=1, max_size=12)
DISTINCT = st.lists(st.integers(0, 10**6), min_size=1, max_size=30, unique=True)
PARTS = st.builds(Fraction, st.integers(0, 20), st.just(20))


def marks(score: Any, fraction: Any, **options: Any) -> list[bool]:
    values = np.array(score, dtype=np.float64)
    found = ire.mask(values, fraction, **options)
    assert found.dtype == np.bool
    assert found.shape == values.shape
    return found.tolist()


def nearest(total: int, fraction: Fraction) -> int:
    """The nearest integer, halves to even, of the exact product."""
    return round(fraction * total)


@given(DISTINCT, PARTS)
def test_the_paper_marks_the_rounded_part(score: list[int], fraction: Fraction) -> None:
    found = marks(score, fraction)
    count = nearest(len(score), fraction)
    smallest = sorted(score)[:count]
    assert found == [h in smallest for h in score]


@given(DISTINCT, PARTS)
def test_the_other_convention_counts_the_threshold_as_flat(
    score: list[int], fraction: Fraction
) -> None:
    """Its words: the threshold is the int(N rank)-th largest score, and h <= threshold is flat."""
    largest_first = sorted(score, reverse=True)
    sharp = int(len(score) * float(1 - fraction))
    threshold = largest_first[sharp - 1] if sharp else largest_first[0]
    found = marks(score, fraction, convention="topk_official")
    assert found == [h <= threshold for h in score]
    assert sum(found) == (len(score) - sharp + 1 if sharp else len(score))


@pytest.mark.parametrize(
    ("total", "fraction", "paper", "official"),
    [
        (10, 0.9, 9, 10),  # rank 0.1: 1 - 0.9 in floats would make it int(0.99...) = 0
        (10, 0.8, 8, 9),
        (100, 0.71, 71, 73),  # and int(100 * 0.29) is 28 in floats, which is part of its words
        (10, 0.25, 2, 4),
        (10, 0.0, 0, 1),
        (10, 1.0, 10, 10),
        (3, 0.1, 0, 2),
        (3, 0.9, 3, 3),
    ],
)
def test_counts(total: int, fraction: float, paper: int, official: int) -> None:
    score = list(range(total))
    assert sum(marks(score, fraction)) == paper
    assert sum(marks(score, fraction, convention="topk_official")) == official


@given(SCORES, PARTS)
def test_ties(score: list[int], fraction: Fraction) -> None:
    count = nearest(len(score), fraction)
    included = marks(score, fraction)
    in_order = sorted(range(len(score)), key=lambda i: abs(score[i]))
    threshold = abs(score[in_order[count - 1]]) if count else -1
    assert included == [abs(h) <= threshold for h in score]
    stable = marks(score, fraction, ties="stable")
    assert [i for i, n in enumerate(stable) if n] == sorted(in_order[:count])


@pytest.mark.parametrize(("ties", "expected"), [("include", 4), ("stable", 2)])
def test_where_all_are_equal(ties: Ties, expected: int) -> None:
    assert marks([7.0] * 4, 0.5, ties=ties) == [True] * expected + [False] * (4 - expected)


@given(SCORES, PARTS, st.sampled_from(["include", "stable"]), st.randoms(use_true_random=False))
def test_only_the_order_counts(score: list[int], fraction: Fraction, ties: Any, rng: Any) -> None:
    levels = sorted({abs(h) for h in score})
    heights = sorted(rng.sample(range(1000), len(levels)))
    increasing = dict(zip(levels, heights, strict=True))
    found = marks(score, fraction, ties=ties)
    assert found == marks([increasing[abs(h)] for h in score], fraction, ties=ties)


@given(SCORES, PARTS, st.integers(1, 1000))
def test_a_gradient_orders_as_its_curvature_does(
    gradient: list[int], fraction: Fraction, batch_size: int
) -> None:
    h = ire.curvature(np.array(gradient, dtype=np.float64), batch_size=batch_size)
    assert marks(gradient, fraction) == marks(h, fraction)


@given(SCORES, PARTS, st.randoms(use_true_random=False))
def test_permuted_scores_have_a_permuted_mask(
    score: list[int], fraction: Fraction, rng: Any
) -> None:
    order = rng.sample(range(len(score)), len(score))
    found = marks(score, fraction)
    assert marks([score[i] for i in order], fraction) == [found[i] for i in order]


def test_a_rotation_does_not_rotate_the_mask() -> None:
    """(1, 0) is flat in its second coordinate; turned by 45 degrees it has no flat coordinate."""
    quarter = np.sqrt(0.5)
    assert marks([1.0, 0.0], 0.5) == [False, True]
    assert marks([quarter, quarter], 0.5) == [True, True]


def test_leaves_are_ranked_together() -> None:
    score = {"b": np.array(3.0), "w": [np.array([[4.0, 1.0], [0.0, 5.0]]), None, np.zeros((0, 2))]}
    found = ire.mask(score, 0.6)
    assert found["b"].tolist() is True
    assert found["w"][0].tolist() == [[False, True], [True, False]]
    assert found["w"][1] is None
    assert found["w"][2].shape == (0, 2)
    assert all(leaf.dtype == np.bool for leaf in optree.tree_leaves(found))


@given(SCORES, PARTS, st.integers(0, 11))
def test_how_leaves_are_cut_does_not_matter(score: list[int], fraction: Fraction, cut: int) -> None:
    values = np.array(score, dtype=np.float64)
    for ties in ("include", "stable"):
        whole = ire.mask(values, fraction, ties=ties)
        parts = ire.mask([values[:cut], None, values[cut:]], fraction, ties=ties)
        assert np.concatenate([parts[0], parts[2]]).tolist() == whole.tolist()
        assert parts[1] is None


@pytest.mark.parametrize("score", [None, [], {"a": None}, [np.zeros(0)]])
def test_nothing_to_mark(score: Any) -> None:
    found = ire.mask(score, 0.5)
    assert all(x.size == 0 for x in optree.tree_leaves(found))


@given(SCORES, PARTS, st.integers(0, 11), st.sampled_from(["include", "stable"]))
def test_a_nan_is_sharp_and_moves_no_other_coordinate(
    score: list[int], fraction: Fraction, place: int, ties: Any
) -> None:
    """As an infinity in its place does, except that it is never flat itself."""
    values: list[float] = list(map(float, score))
    place %= len(values)
    values[place] = NAN
    found = marks(values, fraction, ties=ties)
    values[place] = INF
    expected = marks(values, fraction, ties=ties)
    expected[place] = False
    assert found == expected


def test_many_nans_leave_the_others_on() -> None:
    """The threshold itself is among the NaNs; every comparison with it would be false."""
    assert marks([NAN, 2.0, NAN, 1.0, NAN], 0.8) == [False, True, False, True, False]
    assert marks([NAN, NAN], 1.0) == [False, False]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "bfloat16"])
def test_dtypes(dtype: str) -> None:
    if dtype == "bfloat16":
        ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")
        dtype = ml_dtypes.bfloat16
    score = [np.array([4.0, -1.0, 2.0, 3.0]).astype(dtype), np.array([0.5], np.float32)]
    first, second = ire.mask(score, 0.4)
    assert first.tolist() == [False, True, False, False]
    assert second.tolist() == [True]


def test_complex_coordinates_have_one_magnitude() -> None:
    h = ire.curvature(np.array([3 + 4j, 1 + 1j], np.complex64), batch_size=2)
    assert h.dtype == np.float32
    assert abs(h - np.array([50, 4], np.float32)).max() <= 8 * np.finfo(np.float32).eps * 50


def test_curvature_of_half_precision_does_not_overflow() -> None:
    h = ire.curvature([np.array([300.0, 1e-4], np.float16), None], batch_size=4)
    assert h[0].dtype == np.float32
    assert np.isfinite(h[0]).all()
    assert h[0][0] == 4 * 300.0**2
    assert h[1] is None


def test_sampled_labels_estimate_the_fisher_diagonal(rational: Callable[[Any], Any]) -> None:
    """Exactly, over all labels of a batch: E[B g^2] is the mean of x^2 p (1 - p); data's is not.

    A logistic model with weight vector w on inputs x: the slope of one negative log likelihood is
    (p - y) x, p being the prediction. p is taken rational.
    """
    inputs = np.array([[Fraction(1), Fraction(-2)], [Fraction(3), Fraction(1, 2)]], dtype=object)
    predictions = [Fraction(1, 3), Fraction(4, 5)]
    fisher = sum((x * x * p * (1 - p) for x, p in zip(inputs, predictions, strict=True)), 0) / 2

    def score(labels: Any) -> Any:
        slopes = [(p - y) * x for x, p, y in zip(inputs, predictions, labels, strict=True)]
        return ire.curvature(np.asarray(sum(slopes) / 2, dtype=object), batch_size=Fraction(2))

    mean = sum(
        prod([p if y else 1 - p for p, y in zip(predictions, labels, strict=True)]) * score(labels)
        for labels in product((0, 1), repeat=2)
    )
    assert np.all(mean == fisher)
    assert not np.any(score((1, 0)) == fisher)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"fraction": -0.1}, ValueError, r"fraction must be a number in \[0, 1\]; found -0.1"),
        ({"fraction": 1.5}, ValueError, "fraction must be a number"),
        ({"fraction": NAN}, ValueError, "fraction must be a number"),
        ({"fraction": True}, TypeError, "fraction must be a number"),
        ({"fraction": "half"}, TypeError, "fraction must be a number"),
        ({"fraction": np.ones(2)}, TypeError, "fraction must be a number"),
        ({"convention": "code"}, ValueError, "convention must be one of"),
        ({"ties": "random"}, ValueError, "ties must be one of"),
        ({"score": np.array([1, 2])}, TypeError, "score must have a real or complex floating"),
        ({"score": [1.0, 2.0]}, TypeError, "must be an array of a library"),
    ],
)
def test_bad_arguments_are_named(options: Any, error: Any, message: str) -> None:
    given_options: dict[str, Any] = {"score": np.ones(2), "fraction": 0.5} | options
    with pytest.raises(error, match=message):
        ire.mask(given_options.pop("score"), given_options.pop("fraction"), **given_options)


def test_a_bad_batch_size_is_named() -> None:
    with pytest.raises(ValueError, match="batch_size must be a finite number >= 0"):
        ire.curvature(np.ones(2), batch_size=-1)
