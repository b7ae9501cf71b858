"""Section 2.3 without tolerance: the hierarchy on fractions."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_ref import (
    HierarchicalBloop,
    bloop_direction,
    hierarchical_direction,
    project_orthogonal,
    update_ema,
)

NUMBERS = st.builds(Fraction, st.integers(-9, 9), st.integers(1, 5))
WEIGHTS = st.lists(st.builds(Fraction, st.integers(0, 20), st.integers(1, 9)), min_size=3)
VECTORS = st.lists(NUMBERS, min_size=4, max_size=4).map(lambda v: np.array(v, dtype=object))


@st.composite
def hierarchies(draw: st.DrawFn) -> tuple[list[np.ndarray], list[Fraction]]:
    """Draw g_0, ..., g_3 and lam_1, ..., lam_3, often with a level that depends on others."""
    g = [draw(VECTORS) for _ in range(4)]
    dependent = draw(st.integers(0, 4))
    if dependent < 4:
        c, s = draw(NUMBERS), draw(NUMBERS)
        g[dependent] = c * g[dependent - 1] + s * g[dependent - 2]
    return g, draw(WEIGHTS)[:3]


def dot(u: np.ndarray, v: np.ndarray) -> Fraction:
    return Fraction(np.sum(u * v))


def direction(g: list[np.ndarray], lams: list[Fraction]) -> np.ndarray:
    return np.asarray(hierarchical_direction(g, g[:-1], lams=lams))


@given(hierarchies())
def test_is_gram_schmidt(drawn: tuple[list[np.ndarray], list[Fraction]]) -> None:
    g, lams = drawn
    parts = [project_orthogonal(g[k], *g[:k]) for k in range(1, 4)]
    expected = g[0] + sum(lam * part for lam, part in zip(lams, parts, strict=True))
    d = direction(g, lams)
    assert np.all(d == expected)
    squares = sum(lam**2 * dot(part, part) for lam, part in zip(lams, parts, strict=True))
    assert dot(d, d) == dot(g[0], g[0]) + squares


@given(hierarchies())
def test_deeper_levels_never_disturb_shallower_ones(
    drawn: tuple[list[np.ndarray], list[Fraction]],
) -> None:
    g, lams = drawn
    d = direction(g, lams)
    assert dot(d, g[0]) == dot(g[0], g[0])
    for level in (1, 2):
        shallow = direction(g[: level + 1], lams[:level])
        assert dot(d, g[level]) == dot(shallow, g[level])


@given(hierarchies(), NUMBERS)
def test_references_count_by_their_span_only(
    drawn: tuple[list[np.ndarray], list[Fraction]], c: Fraction
) -> None:
    g, lams = drawn
    r = [g[0], g[1] + c * g[0], (1 + c * c) * g[2]]
    assert np.all(hierarchical_direction(g, r, lams=lams) == direction(g, lams))
    shifted = [g[0], g[1] + c * g[0], *g[2:]]
    assert np.all(direction(shifted, lams) == direction(g, lams))


@given(VECTORS, VECTORS, VECTORS, WEIGHTS)
def test_one_level_is_bloop(
    g: np.ndarray, a: np.ndarray, e: np.ndarray, lams: list[Fraction]
) -> None:
    d = hierarchical_direction([g, a], [e], lams=lams[:1])
    assert np.all(d == bloop_direction(g, a, e, lam=lams[0]))


@pytest.mark.parametrize(
    ("g", "lams", "expected"),
    [
        # p_1 = (1/2, -1/2, 1), p_2 = (-1, 1, 1)
        ([(1, 1, 0), (1, 0, 1), (0, 1, 2)], (2, 1), (1, 1, 3)),
        # g_1 = 2 g_0: p_1 = 0, p_2 = (-1/2, 1/2, 2)
        ([(1, 1, 0), (2, 2, 0), (0, 1, 2)], (2, 1), ("1/2", "3/2", 2)),
        # g_0 = 0: the span starts with g_1
        ([(0, 0, 0), (1, 0, 1), (0, 1, 2)], (2, 1), (1, 1, 3)),
        # more levels than dimensions: the last is lost
        ([(1, 1), (1, 0), (0, 1)], (2, 1), (2, 0)),
        # lam_1 = 0, yet g_1 still blocks the deeper level
        ([(1, 1, 0), (1, 0, 1), (0, 1, 2)], (0, 1), (0, 2, 1)),
    ],
)
def test_worked_examples(g: Any, lams: Any, expected: Any, rational: Callable[..., Any]) -> None:
    gradients = [rational(np.array(v)) for v in g]
    d = hierarchical_direction(gradients, gradients[:-1], lams=lams)
    assert list(d) == [Fraction(x) for x in expected]


def test_worked_references(rational: Callable[..., Any]) -> None:
    # p_1 = (0, 0, 1) off e_1 and p_2 = (0, 0, 2) off both
    g = [rational(np.array(v)) for v in ((1, 1, 0), (1, 0, 1), (0, 1, 2))]
    r = [rational(np.array(v)) for v in ((1, 0, 0), (0, 1, 0))]
    assert list(hierarchical_direction(g, r, lams=(2, 1))) == [1, 1, 4]


@given(hierarchies(), st.lists(VECTORS, min_size=3, max_size=3))
def test_stateful_step(
    drawn: tuple[list[np.ndarray], list[Fraction]], emas: list[np.ndarray]
) -> None:
    g, lams = drawn
    rhos = [Fraction(1, 2), Fraction(1, 3), Fraction(0)]
    bloop = HierarchicalBloop(lams, rhos)
    d, state = bloop.step(g, bloop.init(g[0], losses=4)._replace(memory=tuple(emas)))
    assert np.all(d == hierarchical_direction(g, emas, lams=lams))
    for k in range(3):
        assert np.all(state.memory[k] == update_ema(emas[k], g[k], rho=rhos[k]))
