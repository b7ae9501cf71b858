"""The laws of each method for two gradients and its degenerate cases, exactly."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bloop_ref import Gramian, bloop_direction, project_orthogonal, surgery

WEIGHTS = st.builds(Fraction, st.integers(0, 20), st.integers(1, 9))
POSITIVE = st.builds(Fraction, st.integers(1, 9), st.integers(1, 9))
COSINES = st.builds(Fraction, st.integers(1, 9), st.just(5)).map(
    lambda t: (1 - t * t) / (1 + t * t)
)
ZERO = np.array([Fraction(0)] * 2, dtype=object)


@pytest.fixture
def pair(plane: Any) -> Any:
    """Two gradients."""
    return plane(2)


def same(x: Any, y: Any) -> bool:
    return bool(np.all(x == y))


@given(data=st.data(), s=POSITIVE)
def test_a_gem(data: Any, s: Fraction, pair: Any, dot: Any) -> None:
    m, a = data.draw(pair)
    d = surgery.AGem()(m, a)
    conflict = min(dot(m, a), 0)
    assert dot(d, a) >= 0
    lost = conflict**2 / dot(a, a) if dot(a, a) else 0
    assert dot(d, m) == dot(m, m) - lost >= 0
    assert dot(d, d) <= dot(m, m)
    assert same(surgery.AGem()(d, a), d)
    assert same(surgery.AGem()(s * m, a), s * d)
    # the main half of PCGrad, and of GradVac with the target 0
    assert same(surgery.PCGrad(lam=0)(m, a), d)
    assert same(surgery.GradVac(0, target=0, two_sided=False)(m, a), d)
    assert same(d, m if conflict == 0 else project_orthogonal(m, a))


@given(data=st.data())
def test_a_gem_of_opposite_gradients(data: Any, pair: Any) -> None:
    m, _ = data.draw(pair)
    assert same(surgery.AGem()(m, -2 * m), ZERO)
    assert same(surgery.AGem()(m, ZERO), m)
    assert same(surgery.AGem()(ZERO, m), ZERO)


@given(data=st.data(), beta=WEIGHTS, alpha=WEIGHTS, loss=WEIGHTS, level=WEIGHTS)
def test_the_barrier_is_kept(
    data: Any, beta: Any, alpha: Any, loss: Any, level: Any, pair: Any, dot: Any
) -> None:
    m, a = data.draw(pair)
    assume(dot(m, m))
    d = surgery.DynamicBarrier(beta=beta)(m, a)
    assert dot(d, m) == max(beta * dot(m, m), dot(m, a))
    options = {"beta": beta, "alpha": alpha, "level": level}
    psi = min(alpha * (loss - level), beta * dot(m, m))
    d = surgery.DynamicBarrier(**options)(m, a, main_loss=loss)
    assert dot(d, m) == max(psi, dot(m, a))
    # the coefficient of a is 1
    assert same(project_orthogonal(d, m), project_orthogonal(a, m))


@given(data=st.data(), lam=WEIGHTS)
def test_the_weighted_barrier_is_bloop_in_conflict(
    data: Any, lam: Fraction, pair: Any, dot: Any
) -> None:
    m, a = data.draw(pair)
    if dot(m, a) < 0:
        found = surgery.DynamicBarrier(lam=lam)(m, a)
        assert same(found, bloop_direction(m, a, m, lam=lam))
    assert same(surgery.DynamicBarrier()(m, a), surgery.DynamicBarrier(beta=1, lam=1)(m, a))
    assert same(surgery.DynamicBarrier(level=0)(ZERO, a, main_loss=1), a)


@given(data=st.data())
def test_mgda(data: Any, pair: Any, dot: Any) -> None:
    m, a = data.draw(pair)
    d = surgery.MGDA()(m, a)
    assert dot(d, m) >= dot(d, d)
    assert dot(d, a) >= dot(d, d)
    gram = Gramian({(0, 0): dot(m, m), (0, 1): dot(m, a), (1, 1): dot(a, a)}, size=2)
    row, _ = surgery.MGDA().weights(gram, ())
    assert sum(row) == 1
    assert min(row) >= 0
    if min(row) > 0:
        assert dot(d, m) == dot(d, a) == dot(d, d)


@given(data=st.data(), s=POSITIVE)
def test_mgda_at_its_edges(data: Any, s: Fraction, pair: Any) -> None:
    m, _ = data.draw(pair)
    assert same(surgery.MGDA()(m, m), m)
    assert same(surgery.MGDA()(m, -s * m), ZERO)
    assert same(surgery.MGDA()(m, ZERO), ZERO)
    assert same(surgery.MGDA()(ZERO, m), ZERO)


@given(data=st.data(), tie=st.sampled_from([0, Fraction(1, 2), 1]))
def test_cosine_gate(data: Any, tie: Any, pair: Any, dot: Any) -> None:
    m, a = data.draw(pair)
    ma = dot(m, a)
    weighted, open_ = (surgery.CosineGate(weighted=w)(m, a) - m for w in (True, False))
    assert dot(m + weighted, m) >= dot(m, m)
    assert dot(weighted, weighted) <= dot(open_, open_)
    if ma > 0:
        assert same(open_, a)
        assert same(surgery.CosineGate()(m, 2 * m), 3 * m)  # the cosine is 1
    elif ma < 0:
        assert same(open_, ZERO)
    if ma <= 0:
        assert same(weighted, ZERO)
    at_a_tie = surgery.CosineGate(weighted=False, tie=tie)(m, ZERO)
    assert same(at_a_tie, m)
    assert same(surgery.CosineGate(weighted=False, tie=tie)(ZERO, a), tie * a)
    assert same(surgery.CosineGate()(ZERO, a), ZERO)
    assert same(surgery.CosineGate()(a), a)


@given(data=st.data(), target=COSINES)
def test_grad_vac_reaches_its_target(data: Any, target: Fraction, pair: Any, dot: Any) -> None:
    m, a = data.draw(pair)
    assume(dot(m, m) and dot(a, a))
    d = surgery.GradVac(0, target=target, two_sided=False)(m, a)
    sizes = dot(m, m) * dot(a, a)
    below = _signed_square(dot(m, a)) < _signed_square(target) * sizes
    if not below:
        assert same(d, m)
    elif dot(m, a) ** 2 == sizes:  # opposite
        assert same(d, ZERO)
    else:
        assert _signed_square(dot(d, a)) == _signed_square(target) * dot(d, d) * dot(a, a)
        assert dot(d - m, a) > 0
    assert same(project_orthogonal(d, a), project_orthogonal(m, a))
    assert same(surgery.GradVac(0, target=target, two_sided=False)(3 * m, a), 3 * d)


def _signed_square(x: Any) -> Any:
    return x * abs(x)


@given(data=st.data(), target=st.sampled_from([Fraction(-1), Fraction(1), Fraction(3, 5)]))
def test_grad_vac_at_its_edges(data: Any, target: Fraction, pair: Any) -> None:
    m, a = data.draw(pair)
    one_sided: dict[str, Any] = {"target": target, "two_sided": False}
    assert same(surgery.GradVac(0, **one_sided)(m, ZERO), m)
    assert same(surgery.GradVac(0, **one_sided)(ZERO, a), ZERO)
    if abs(target) == 1:
        assert same(surgery.GradVac(0, **one_sided)(m, a), m)
    assert same(surgery.GradVac(0, target=target)(m), m)


@given(data=st.data(), lam=WEIGHTS)
def test_pcgrad_of_opposite_gradients(data: Any, lam: Fraction, pair: Any) -> None:
    m, _ = data.draw(pair)
    assert same(surgery.PCGrad(lam=lam)(m, -3 * m), ZERO)
    assert same(surgery.PCGrad()(m), m)


def test_pcgrad_can_lengthen_the_sum(rational: Any, dot: Any) -> None:
    m, a = rational([np.array([3, 4]), np.array([-5, 0])])
    d, plain = surgery.PCGrad()(m, a), m + a
    assert dot(d, d) > dot(plain, plain)


@given(data=st.data(), r=st.sampled_from([Fraction(0), Fraction(7, 10), Fraction(1)]))
def test_meta_balance(data: Any, r: Fraction, pair: Any, dot: Any) -> None:
    m, a = data.draw(pair)
    d = surgery.MetaBalance(relaxation=r, beta=0)(m, a)
    assert same(surgery.MetaBalance(relaxation=r, beta=0)(m, ZERO), m)
    assert same(surgery.MetaBalance(relaxation=r, beta=0)(ZERO, a), (1 - r) * a)
    if r == 0:
        assert same(d, m + a)
    if r == 1 and dot(a, a):
        assert dot(d - m, d - m) == dot(m, m)
    # the first step does not depend on beta
    for beta in (Fraction(1, 3), Fraction(9, 10)):
        method = surgery.MetaBalance(relaxation=r, beta=beta)
        assert same(method.step([m, a], method.init(m))[0], d)
