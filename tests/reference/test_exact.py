"""The laws of the paper without tolerance: the same code on arrays of fractions."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_ref import (
    Bloop,
    Gramian,
    bloop_direction,
    combine,
    diagnostics,
    inner_products,
    project_orthogonal,
    update_ema,
)

Vector: TypeAlias = Any

SHAPES: tuple[tuple[tuple[int, ...], ...], ...] = (((1,),), ((2,), ()), ((3,), (0, 2), (2, 1)))
NUMBERS = st.builds(Fraction, st.integers(-9, 9), st.integers(1, 9))
WEIGHTS = st.builds(Fraction, st.integers(0, 20), st.integers(1, 9))
RHOS = st.builds(lambda p, q: Fraction(min(p, q), q), st.integers(0, 9), st.integers(1, 9))


@st.composite
def vectors(draw: st.DrawFn, count: int) -> list[Vector]:
    """Draw vectors of fractions, now and then one a multiple of another."""
    shapes = draw(st.sampled_from(SHAPES))

    def leaf(shape: tuple[int, ...]) -> np.ndarray:
        out = np.empty(shape, dtype=object)
        out.ravel()[:] = draw(st.lists(NUMBERS, min_size=out.size, max_size=out.size))
        return out

    drawn = [[leaf(shape) for shape in shapes] for _ in range(count)]
    if count > 1 and draw(st.booleans()):
        drawn[-1] = times(draw(NUMBERS), drawn[0])
    return drawn


def times(factor: Fraction, vector: Vector) -> Vector:
    return optree.tree_map(lambda x: np.asarray(factor * x, dtype=object), vector)


def plus(*terms: Vector) -> Vector:
    return optree.tree_map(lambda *x: np.asarray(sum(x), dtype=object), *terms)


def dot(u: Vector, v: Vector) -> Fraction:
    pairs = zip(optree.tree_leaves(u), optree.tree_leaves(v), strict=True)
    return sum((np.sum(x * y) for x, y in pairs), Fraction(0))


def same(u: Vector, v: Vector) -> bool:
    return all(optree.tree_leaves(optree.tree_map(lambda x, y: bool(np.all(x == y)), u, v)))


@given(vectors(2))
def test_projection_is_orthogonal_and_idempotent(drawn: list[Vector]) -> None:
    u, v = drawn
    part = project_orthogonal(u, v)
    assert dot(part, v) == 0
    assert same(project_orthogonal(part, v), part)
    assert dot(u, u) == dot(part, part) + dot(plus(u, times(Fraction(-1), part)), u)


@given(vectors(4))
def test_projection_off_a_span(drawn: list[Vector]) -> None:
    u, *span = drawn
    part = project_orthogonal(u, *span)
    assert all(dot(part, v) == 0 for v in span)
    assert same(project_orthogonal(u, *span, *span), part)
    assert same(project_orthogonal(u, *reversed(span)), part)
    # u - part lies in the span: nothing is left of it outside
    inside = plus(u, times(Fraction(-1), part))
    assert dot(project_orthogonal(inside, *span), inside) == 0
    assert same(project_orthogonal(u), u)


@given(vectors(3), NUMBERS, NUMBERS)
def test_projection_is_linear_and_blind_to_multiples(
    drawn: list[Vector], c: Fraction, s: Fraction
) -> None:
    u, w, v = drawn
    left = project_orthogonal(plus(u, times(c, w)), v)
    assert same(left, plus(project_orthogonal(u, v), times(c, project_orthogonal(w, v))))
    assert same(project_orthogonal(plus(u, times(c, v)), v), project_orthogonal(u, v))
    if s != 0:
        assert same(project_orthogonal(u, times(s, v)), project_orthogonal(u, v))


@given(vectors(3), WEIGHTS)
def test_direction_is_orthogonal_beyond_the_main_gradient(
    drawn: list[Vector], lam: Fraction
) -> None:
    g, a, e = drawn
    d = bloop_direction(g, a, e, lam=lam)
    assert dot(plus(d, times(Fraction(-1), g)), e) == 0
    assert dot(d, e) == dot(g, e)
    # the nonnegative weight on g_aux
    assert dot(plus(d, times(Fraction(-1), g)), a) >= 0


@given(vectors(2), WEIGHTS)
def test_full_batch_descends_as_gradient_descent(drawn: list[Vector], lam: Fraction) -> None:
    g, a = drawn
    d = bloop_direction(g, a, g, lam=lam)
    assert dot(d, g) == dot(g, g)
    part = project_orthogonal(a, g)
    assert dot(d, d) == dot(g, g) + lam**2 * dot(part, part)


@given(vectors(3), WEIGHTS)
def test_direction_limits(drawn: list[Vector], lam: Fraction) -> None:
    g, a, e = drawn
    zero = times(Fraction(0), e)
    assert same(bloop_direction(g, a, zero, lam=lam), plus(g, times(lam, a)))
    absent = optree.tree_map(lambda _: None, e)
    assert same(bloop_direction(g, a, absent, lam=lam), plus(g, times(lam, a)))
    assert same(bloop_direction(g, a, e, lam=0), g)
    assert same(bloop_direction(zero, a, zero, lam=lam), times(lam, a))
    # L_aux = -L_main: gradient descent on L_main
    assert same(bloop_direction(g, times(Fraction(-1), g), g, lam=lam), g)


@given(vectors(2), RHOS)
def test_average_recurrence(drawn: list[Vector], rho: Fraction) -> None:
    g, e = drawn
    after = update_ema(e, g, rho=rho)
    assert same(after, plus(times(1 - rho, e), times(rho, g)))
    # n equal gradients close the distance by (1 - rho)^n
    for _ in range(2):
        after = update_ema(after, g, rho=rho)
    distance = times((1 - rho) ** 3, plus(e, times(Fraction(-1), g)))
    assert same(plus(after, times(Fraction(-1), g)), distance)


@given(vectors(3), WEIGHTS, RHOS)
def test_the_matrix_is_the_step(drawn: list[Vector], lam: Fraction, rho: Fraction) -> None:
    g, a, e = drawn
    bloop = Bloop(lam, rho)
    _, _, (_, ae, ee) = inner_products(drawn, pairs=[(2, 1), (2, 2)])
    matrix, _ = bloop.matrix(Gramian({(1, 2): ae, (2, 2): ee}, 3))
    d, after = combine(matrix, drawn)
    assert same(d, bloop_direction(g, a, e, lam=lam))
    assert same(after, update_ema(e, g, rho=rho))
    direction, state = bloop.step([g, a], bloop.init(g)._replace(memory=(e,)))
    assert same(d, direction)
    assert same(after, state.ema)


@given(vectors(3))
def test_inner_products_are_exact(drawn: list[Vector]) -> None:
    matrix = inner_products(drawn)
    assert matrix == tuple(tuple(dot(u, v) for v in drawn) for u in drawn)


@given(vectors(3), st.lists(NUMBERS, min_size=3, max_size=3))
def test_combine_is_exact(drawn: list[Vector], row: list[Fraction]) -> None:
    (found,) = combine([row], drawn)
    assert same(found, plus(*map(times, row, drawn)))


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_diagnostics_of_fractions(x: Fraction, y: Fraction, p: Fraction, q: Fraction) -> None:
    # multiples of (3, 4), whose norms are fractions
    g, a, e = (np.array(v, dtype=object) for v in ((3 * x, 4 * x), (p, q), (3 * y, 4 * y)))
    found = diagnostics(g, a, e)
    assert (found.norm_main, found.norm_ema) == (5 * abs(x), 5 * abs(y))
    assert found.cos_main_ema == (x * y > 0) - (x * y < 0)
    assert found.coefficient == (dot(a, e) / dot(e, e) if y else 0)


@pytest.mark.parametrize(
    ("g", "a", "e", "lam", "expected"),
    [
        # (3, 4) and (-5, 0): cosine -3/5; (5, 0): cosine 3/5
        ((3, 4), (-5, 0), (3, 4), "1/2", ("7/5", "26/5")),
        ((3, 4), (5, 0), (3, 4), "1/2", ("23/5", "14/5")),
        ((3, 4), (-5, 0), (1, 0), "1/2", (3, 4)),
        ((3, 4), (-5, 0), (0, 0), "1/2", ("1/2", 4)),
        ((3, 4), (8, -6), (3, 4), 2, (19, -8)),
        ((0, 0), (-5, 0), (0, 0), "1/2", ("-5/2", 0)),
        # section 3.3 at (a, b) = (3, -4): d = (a, lam b)
        ((3, 0), (2, -4), (3, 0), "1/2", (3, -2)),
    ],
)
def test_worked_directions(
    g: Any, a: Any, e: Any, lam: Any, expected: Any, rational: Callable[..., Any]
) -> None:
    d = bloop_direction(*(rational(np.array(v)) for v in (g, a, e)), lam=Fraction(lam))
    assert list(d) == [Fraction(x) for x in expected]


@pytest.mark.parametrize(
    ("project_on", "expected"),
    [
        # (-5, 0) lies along e = (1, 0): nothing is left of it
        ("previous", (3, 4)),
        # e' = (2, 2): <a, e'> / ||e'||^2 = -5/4, pi = (-5/2, 5/2)
        ("updated", ("7/4", "21/4")),
    ],
)
def test_the_order_matters(project_on: Any, expected: Any, rational: Callable[..., Any]) -> None:
    g, a, e = (rational(np.array(v)) for v in ((3, 4), (-5, 0), (1, 0)))
    bloop = Bloop(Fraction(1, 2), Fraction(1, 2), project_on=project_on)
    d, state = bloop.step([g, a], bloop.init(g)._replace(memory=(e,)))
    assert list(d) == [Fraction(x) for x in expected]
    assert list(state.ema) == [2, 2]
