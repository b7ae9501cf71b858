"""Steps with one backward pass, an extension of this project: its identities without tolerance."""

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import optree
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bloop_numpy
from bloop_ref import Bloop, State, bloop_direction, update_ema

NUMBERS = st.builds(Fraction, st.integers(-9, 9), st.integers(1, 4))
SHARES = st.builds(Fraction, st.integers(1, 4), st.just(4))
SIZE = 3


def vectors(count: int) -> st.SearchStrategy[list[np.ndarray]]:
    vector = st.lists(NUMBERS, min_size=SIZE, max_size=SIZE).map(partial(np.array, dtype=object))
    return st.lists(vector, min_size=count, max_size=count)


def state_of(*memory: np.ndarray, count: int, skipped: int = 0) -> State:
    return State(memory, (), np.int32(count), np.int32(skipped))


def same(found: Any, expected: Any) -> None:
    optree.tree_map(np.testing.assert_array_equal, found, expected)


def dot(u: np.ndarray, v: np.ndarray) -> Any:
    return (u * v).sum()


@given(vectors(4), SHARES, SHARES)
def test_a_step_between_is_bloops_on_two_estimates(drawn: Any, lam: Any, rho: Any) -> None:
    """d and e are those of Bloop for (x - lam A, A); A stays as it is."""
    g_main, g_aux, ema, held = drawn
    x = g_main + lam * g_aux
    method = Bloop(lam, rho, every=3)
    direction, after = method.step([x], state_of(ema, held, count=1))
    same(direction, bloop_direction(x - lam * held, held, ema, lam=lam))
    same(after.memory, (update_ema(ema, x - lam * held, rho=rho), held))


@given(vectors(4), SHARES, SHARES)
def test_what_becomes_of_orthogonality(drawn: Any, lam: Any, rho: Any) -> None:
    """<d - g_main, e> = lam <g_aux - A, e>, and d differs from Bloop's along e alone."""
    g_main, g_aux, ema, held = drawn
    state = state_of(ema, held, count=1)
    direction, after = Bloop(lam, rho, every=3).step([g_main + lam * g_aux], state)
    bloop = bloop_direction(g_main, g_aux, ema, lam=lam)
    if ema.any():
        assert dot(direction - g_main, ema) == lam * dot(g_aux - held, ema)
        left = lam * dot(g_aux - held, ema) / dot(ema, ema)
        same(direction, bloop + left * ema)
    same(after.ema, update_ema(ema, g_main, rho=rho) + rho * lam * (g_aux - held))


@given(vectors(4), SHARES, SHARES, SHARES)
def test_a_full_step_is_bloops(drawn: Any, lam: Any, rho: Any, kappa: Any) -> None:
    g_main, g_aux, ema, held = drawn
    method = Bloop(lam, rho, every=3, kappa=kappa)
    direction, after = method.step([g_main, g_aux], state_of(ema, held, count=3))
    expected, bloop = Bloop(lam, rho).step([g_main, g_aux], state_of(ema, count=3))
    same(direction, expected)
    same(after.memory, (bloop.ema, (1 - kappa) * held + kappa * g_aux))


@given(vectors(9), SHARES, SHARES)
def test_expectation_over_every_batch(drawn: Any, lam: Any, rho: Any) -> None:
    """E[d] = G + lam (a - c e), c of A: A and e do not depend on the batch, and d is linear in x.

    The losses are sums of three terms; a batch is any two of them.
    """
    main, aux = drawn[:3], drawn[3:6]
    ema, held, _ = drawn[6:]
    method, state = Bloop(lam, rho, every=2), state_of(ema, held, count=1)
    found = []
    for batch in combinations(range(3), 2):
        x = sum((main[i] + lam * aux[i]) * Fraction(1, 2) for i in batch)
        direction, after = method.step([x], state)
        found.append((direction, after.ema))
    mean_d, mean_e = (sum(part) * Fraction(1, 3) for part in zip(*found, strict=True))
    g, a = (sum(terms) * Fraction(1, 3) for terms in (main, aux))
    c = dot(held, ema) / dot(ema, ema) if ema.any() else 0
    same(mean_d, g + lam * (a - c * ema))
    same(mean_e, (1 - rho) * ema + rho * (g + lam * (a - held)))


def walk(method: Bloop, gradients: Sequence[Any], lam: Any) -> list[Any]:
    """Return the directions of some steps, and the last memory."""
    state = method.init(gradients[0][0])
    found = []
    for t, (g_main, g_aux) in enumerate(gradients):
        taken = [g_main, g_aux] if method.full(t) else [g_main + lam * g_aux]
        direction, state = method.step(taken, state)
        found.append(direction)
    return [*found, state.ema]


@given(vectors(6), SHARES, SHARES, SHARES, st.integers(1, 4))
def test_a_constant_auxiliary_gradient_leaves_bloop(
    drawn: Any, lam: Any, rho: Any, kappa: Any, m: int
) -> None:
    """Where L_aux is linear A is g_aux, and every step, full or not, is Bloop's: A is never stale.

    The gradients of L_main are any whatever.
    """
    g_aux, *mains = drawn
    gradients = [(g_main, g_aux) for g_main in mains]
    same(
        walk(Bloop(lam, rho, every=m, kappa=kappa), gradients, lam),
        walk(Bloop(lam, rho), gradients, lam),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_full_steps_alone_are_bloop_bit_for_bit(dtype: str) -> None:
    """``every=1`` and ``every=3`` with two gradients in every step, which is allowed."""
    drawn = np.random.default_rng(5).normal(size=(6, 2, 7)).astype(dtype)
    plain, extended = Bloop(0.3, 0.1), Bloop(0.3, 0.1, every=3, kappa=0.5)
    before, state = plain.init(drawn[0, 0]), extended.init(drawn[0, 0])
    for g_main, g_aux in drawn:
        expected, before = plain.step([g_main, g_aux], before)
        found, state = extended.step([g_main, g_aux], state)
        same((found, state.ema), (expected, before.ema))


def test_the_held_gradient_starts_at_the_first_and_then_averages() -> None:
    kappa, quarter = Fraction(1, 4), Fraction(1, 4)
    method = Bloop(1, Fraction(1, 2), every=2, kappa=kappa)
    first, x, second = (np.array([Fraction(k)], dtype=object) for k in (8, 3, 4))
    _, state = method.step([x, first], method.init(x))
    same(state.memory[1], first)
    _, state = method.step([x], state)
    same(state.memory[1], first)
    _, state = method.step([x, second], state)
    same(state.memory[1], (1 - quarter) * first + quarter * second)


def test_the_first_main_gradient_may_start_the_average_too() -> None:
    method = Bloop(1.0, 0.25, every=2, init="first")
    g_main, g_aux = np.array([3.0, 4.0]), np.array([-5.0, 0.0])
    direction, state = method.step([g_main, g_aux], method.init(g_main))
    same(direction, bloop_direction(g_main, g_aux, g_main, lam=1.0))
    same(state.memory, (g_main, g_aux))


def test_numpys_passes_take_both_matrices() -> None:
    """The protocol of matrices, on another engine's inner products and combinations."""
    from bloop_ref import Gramian

    method = Bloop(0.5, 0.25, every=2, kappa=0.5)
    drawn = list(np.random.default_rng(7).normal(size=(4, 9)))
    state = state_of(*drawn[2:], count=2)
    for gradients in (drawn[:2], drawn[:1]):
        stack = [*gradients, *state.memory]
        pairs = method.pairs(len(gradients))
        sums = bloop_numpy.inner_products(stack, pairs)
        rows, _ = method.matrix(Gramian(dict(zip(pairs, sums, strict=True)), len(stack)))
        found, *memory = bloop_numpy.combine(rows, stack)
        expected, state = method.step(gradients, state)
        for x, y in zip((found, *memory), (expected, *state.memory), strict=True):
            np.testing.assert_array_max_ulp(x, y, maxulp=4)


def test_the_worked_run_of_the_specification() -> None:
    """Every number in the table of docs/specification.md, on fractions."""
    text = (Path(__file__).parents[2] / "docs" / "specification.md").read_text()
    rows = re.findall(r"^\| [0-3] \| (.*) \| (.*) \| (.*) \| (.*) \|$", text, re.MULTILINE)
    half = Fraction(1, 2)
    method = Bloop(half, half, every=3, kappa=half)
    state = method.init(np.array([Fraction(0)] * 2, dtype=object))
    assert len(rows) == 4
    for row in rows:
        taken, *expected = ([*map(pair, re.findall(r"\((.*?)\)", cell))] for cell in row)
        direction, state = method.step(taken, state)
        same([direction, *state.memory], [x for (x,) in expected])


def pair(numbers: str) -> np.ndarray:
    return np.array([Fraction(x.strip()) for x in numbers.split(",")], dtype=object)
