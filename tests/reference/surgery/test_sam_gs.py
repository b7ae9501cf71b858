"""SAM-GS: the similarity, both branches, the state, and what follows in training."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bloop_ref import Gramian, surgery

HALF = Fraction(1, 2)
EXACT: dict[str, Any] = {"beta1": HALF, "beta2": HALF, "epsilon": 0}
POSITIVE = st.builds(Fraction, st.integers(1, 9), st.integers(1, 9))


def norm(square: Fraction) -> Fraction:
    """Return the norm of a vector, which is rational."""
    root = Fraction(math.isqrt(square.numerator), math.isqrt(square.denominator))
    assert root * root == square
    return root


def steps(method: Any, batches: Any) -> Any:
    state = method.init(batches[0][0], losses=len(batches[0]))
    directions = []
    for batch in batches:
        d, state = method.step(batch, state)
        directions.append(d)
    return directions, state


@given(data=st.data(), gamma=st.sampled_from([0, 2]))
def test_the_order_of_the_losses_does_not_matter(data: Any, gamma: int, plane: Any) -> None:
    method = surgery.SamGS(gamma=gamma, **EXACT)
    first, second = data.draw(plane(3)), data.draw(plane(3))
    found, after = steps(method, [first[::-1], second[::-1]])
    expected, state = steps(method, [first, second])
    assert np.all(found[0] == expected[0])
    assert after.scalars == state.scalars
    for mine, theirs in zip(after.memory[::-1], state.memory, strict=True):
        assert np.all(mine == theirs)


@given(data=st.data())
def test_equalised_gradients_have_the_mean_norm(data: Any, plane: Any, dot: Any) -> None:
    g = data.draw(plane(2))
    assume(all(dot(x, x) for x in g))
    d = surgery.SamGS(gamma=2, **EXACT)(*g)
    norms = [norm(dot(x, x)) for x in g]
    mean = sum(norms) / 2
    assert np.all(d == sum(mean * x / n for x, n in zip(g, norms, strict=True)))
    assert dot(d, d) <= (2 * mean) ** 2


@given(data=st.data())
def test_modulation_at_the_first_step(data: Any, plane: Any, dot: Any) -> None:
    m, a = data.draw(plane(2))
    squares = [dot(x, x) for x in (m, a)]
    psi = 2 * norm(squares[0]) * norm(squares[1]) / sum(squares) if sum(squares) else Fraction(1)
    d = surgery.SamGS(gamma=0, **EXACT)(m, a)
    modulated = abs(m) * m + abs(a) * a
    assert np.all(d == (modulated / (1 - psi) if psi != 1 else 0 * m))


@given(data=st.data(), s=POSITIVE)
def test_similarity_is_blind_to_a_common_scale(data: Any, s: Fraction, plane: Any) -> None:
    m, a = data.draw(plane(2))
    first = surgery.SamGS(**EXACT)
    _, state = first.step([m, a], first.init(m))
    _, scaled = first.step([s * m, s * a], first.init(m))
    assert scaled.scalars == state.scalars


def test_constant_gradients_are_their_own_momentum(rational: Any) -> None:
    g = rational([np.array([3, -4]), np.array([0, 10])])
    directions, state = steps(surgery.SamGS(gamma=0, **EXACT), [g] * 3)
    for k, x in enumerate(g):
        assert np.all(state.memory[k] / (1 - state.scalars[1]) == x)
    assert all(np.all(d == directions[0]) for d in directions)
    epsilon = Fraction(1, 100)
    _, state = steps(surgery.SamGS(**{**EXACT, "epsilon": epsilon}), [g] * 3)
    unlike = Fraction(1, 5) ** 2
    floor = epsilon / (1 - HALF)
    assert state.scalars[0] / (1 - state.scalars[2]) == unlike + floor


def test_zero_gradients(rational: Any) -> None:
    m, zero = rational([np.array([3, 4]), np.zeros(2)])
    options = {**EXACT, "gamma": Fraction(1, 10)}
    assert np.all(surgery.SamGS(**options)(zero, zero) == 0)
    # Psi = 0; the zero gradient adds nothing, and counts in the mean norm
    assert np.all(surgery.SamGS(**options)(m, zero) == m / 2)
    # a single gradient is like itself
    assert np.all(surgery.SamGS(gamma=1, **EXACT)(m) == 0)
    assert np.all(surgery.SamGS(gamma=2, **EXACT)(m) == m)
    assert np.all(surgery.SamGS(gamma=1, **EXACT)(m, m) == 0)  # the gate is strict


@pytest.mark.parametrize(
    ("gamma", "ratio"), [(Fraction(4, 5), 2), (Fraction(3, 5), 3), (Fraction(5, 13), 5)]
)
def test_the_gate_is_a_ratio_of_norms(gamma: Fraction, ratio: int, rational: Any) -> None:
    # the ratio of norms at which Psi = gamma
    assert gamma == Fraction(2 * ratio, 1 + ratio**2)
    m = rational(np.array([1, 0]))
    sizes = [ratio + Fraction(k, 9) for k in (-1, 0, 1)]
    equalised = [surgery.SamGS(gamma=gamma, **EXACT)(m, s * m) for s in sizes]
    expected = [bool(np.all(d == (1 + s) * m)) for d, s in zip(equalised, sizes, strict=True)]
    assert expected == [False, False, True]


def test_complex_leaves_are_pairs_of_real_ones() -> None:
    g = [np.array([3.0, 4.0, -1.0, 2.0]), np.array([1.0, -2.0, 5.0, 4.0])]
    z = [v[:2] + 1j * v[2:] for v in g]
    expected = surgery.SamGS()(*g)
    found = surgery.SamGS()(*z)
    np.testing.assert_array_equal(found.real, expected[:2])
    np.testing.assert_array_equal(found.imag, expected[2:])


def test_leaves_that_are_missing() -> None:
    m, a = [np.array([3.0, 4.0]), None, None], [None, np.array([1.0]), None]
    method = surgery.SamGS(gamma=0)
    d, state = method.step([m, a], method.init(m))
    zeros = [np.zeros(2), np.zeros(1)]
    expected, _ = method.step([[m[0], zeros[1]], [zeros[0], a[1]]], method.init(zeros))
    np.testing.assert_array_equal(d[0], expected[0])
    np.testing.assert_array_equal(d[1], expected[1])
    assert d[2] is None
    assert state.memory[0][2] is None


def test_the_step_that_follows() -> None:
    d = np.array([3.0, 4.0])
    np.testing.assert_array_equal(surgery.sam_gs_post_step(d, losses=2, epsilon=0, max_norm=5), d)
    clipped = surgery.sam_gs_post_step(d, losses=2, epsilon=2.0, max_norm=3.0)
    np.testing.assert_array_equal(clipped, 2 * d * (3 / 12))
    short = surgery.sam_gs_post_step(d / 64, losses=2)
    np.testing.assert_array_equal(short, d / 32)
    np.testing.assert_array_equal(surgery.sam_gs_post_step(0 * d, losses=2, epsilon=0), 0 * d)
    for size in (1e300, 1e-300):
        scaled = surgery.sam_gs_post_step(size * d, losses=2, epsilon=0, max_norm=4 * size)
        assert np.isfinite(scaled).all()
        assert np.all(scaled > 0)
    nan = surgery.sam_gs_post_step(np.array([np.nan, 1.0]), losses=2)
    assert np.isnan(nan).all()


def test_the_step_that_follows_on_fractions(rational: Any) -> None:
    d = rational(np.array([3, 4]))
    found = surgery.sam_gs_post_step(d, losses=2, epsilon=0, max_norm=1)
    assert list(found) == [Fraction(3, 5), Fraction(4, 5)]


@pytest.mark.parametrize("far", [1.0, 200.0])
def test_parts_of_gradients_need_only_the_norms_of_the_whole(far: float) -> None:
    method = surgery.SamGS()
    g = [np.array([3.0, 4.0, 0.0]), far * np.array([0.0, 1.0, -1.0])]
    whole, _ = method.step(g, method.init(g[0]))
    gram = Gramian({(k, k): x @ x for k, x in enumerate(g)}, size=2)
    for part in (slice(0, 1), slice(1, 3)):
        own = [x[part] for x in g]
        found, _ = method.step(own, method.init(own[0]), gram=gram)
        np.testing.assert_array_equal(found, whole[part])
