"""Where the Bloop paper's text and its method part: each counterexample of docs/methods.md."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from bloop_ref import Bloop, bloop_direction, project_orthogonal, surgery

HALF = Fraction(1, 2)


@pytest.fixture
def vector(rational: Any) -> Any:
    """From numbers to a vector of fractions."""
    return lambda *entries: rational(np.array(entries, dtype=object))


def equal(vector: Any, *entries: Any) -> bool:
    return list(vector) == [Fraction(x) for x in entries]


def test_the_weight_of_mtl_moo_has_the_wrong_sign(vector: Any, dot: Any) -> None:
    m, a = vector(1, 0), vector(0, 1)
    printed = dot(m - a, a) / dot(m - a, m - a)
    assert printed == -HALF
    d = printed * m + (1 - printed) * a
    assert equal(d, "-1/2", "3/2")
    assert dot(d, m) < 0  # no common descent
    assert equal(surgery.MGDA()(m, a), "1/2", "1/2")


def test_the_weight_of_mtl_moo_is_not_clipped(vector: Any, dot: Any) -> None:
    m, a = vector(1, 0), vector(3, 1)
    unclipped = dot(a - m, a) / dot(m - a, m - a)
    assert unclipped == Fraction(7, 5)
    assert equal(unclipped * m + (1 - unclipped) * a, "1/5", "-2/5")  # outside the hull
    assert equal(surgery.MGDA()(m, a), 1, 0)


def _printed_vaccine(m: Any, a: Any, target: Fraction, dot: Any) -> Any:
    """Return the number that Table 1 adds to m, for gradients of norm 5."""
    cosine = dot(m, a) / 25
    sine, of_target = (Fraction(_root(1 - x * x)) for x in (cosine, target))
    return (target * sine - cosine * of_target) / of_target


def _root(square: Fraction) -> Fraction:
    root = Fraction(np.sqrt(float(square))).limit_denominator(1000)
    assert root * root == square
    return root


def test_grad_vac_adds_a_number_to_a_vector(vector: Any, dot: Any) -> None:
    m, a, target = vector(3, 4), vector(5, 0), Fraction(4, 5)
    number = _printed_vaccine(m, a, target, dot)
    assert number == Fraction(7, 15)
    d = m + number
    assert dot(d, a) ** 2 != target**2 * dot(d, d) * dot(a, a)
    lifted = surgery.GradVac(0, target=target, two_sided=False)(m, a)
    assert np.all(lifted == m + number * a)
    assert dot(lifted, a) ** 2 == target**2 * dot(lifted, lifted) * dot(a, a)


def test_grad_vac_lacks_its_condition(vector: Any, dot: Any) -> None:
    m, a, target = vector(3, 4), vector(4, 3), Fraction(4, 5)
    number = _printed_vaccine(m, a, target, dot)
    assert number == Fraction(-44, 75)
    d = m + number * a
    # gradients of cosine 24/25 are driven apart, to 4/5
    assert dot(d, a) ** 2 == target**2 * dot(d, d) * dot(a, a)
    assert np.all(surgery.GradVac(0, target=target, two_sided=False)(m, a) == m)


def test_pcgrad_takes_from_each_gradient_a_multiple_of_itself(vector: Any, dot: Any) -> None:
    m, a = vector(3, 4), vector(-5, 0)
    main = m - dot(m, a) / dot(m, m) * m
    aux = a - dot(m, a) / dot(a, a) * a
    assert np.all(main + aux == surgery.PCGrad()(m, a))  # the sum is right
    assert dot(main, a) != 0  # the parts are not
    assert np.all(project_orthogonal(m, a) == surgery.PCGrad(lam=0)(m, a))
    assert equal(main + HALF * aux, "4/5", "32/5")  # nor is a weighted sum
    assert equal(surgery.PCGrad(lam=HALF)(m, a), "-8/5", "26/5")


def test_the_barrier_is_not_the_square_of_the_auxiliary_gradient(vector: Any, dot: Any) -> None:
    m, nothing = vector(3, 4), vector(0, 0)
    psi = dot(nothing, nothing)
    d = nothing + max(0, (psi - dot(m, nothing)) / dot(m, m)) * m
    assert equal(d, 0, 0)  # the auxiliary loss is optimal, and the main one is left as it is
    assert equal(surgery.DynamicBarrier()(m, nothing), 3, 4)


def test_the_term_of_the_auxiliary_loss_in_the_decrease_is_subtracted(
    vector: Any, dot: Any
) -> None:
    g, a, e = vector(1, 0), vector(0, 1), vector(1, 1)
    eta, lam = Fraction(1, 10), HALF
    theta = vector(2, 3)
    d = bloop_direction(g, a, e, lam=lam)
    change = dot(g, theta - eta * d) - dot(g, theta)  # L_main = <g, theta>
    along = dot(project_orthogonal(a, e), g)
    assert along == -HALF
    assert change == -eta * dot(g, g) - eta * lam * along
    assert change != -eta * dot(g, g) + eta * lam * along


@pytest.mark.parametrize("lam", [Fraction(1, 2), Fraction(1), Fraction(3)])
def test_the_main_loss_rises_with_lambda(lam: Fraction) -> None:
    def losses(weight: Fraction) -> tuple[Fraction, Fraction]:
        # of theta^2 / 2 and (theta - 1)^2 / 2, at the one place where the direction is 0
        theta = weight / (1 + weight)
        gradients = (np.array([x], dtype=object) for x in (theta, theta - 1))
        assert list(surgery.Mixed(weight)(*gradients)) == [0]
        return theta**2 / 2, (theta - 1) ** 2 / 2

    (main, aux), (main_later, aux_later) = losses(lam), losses(2 * lam)
    assert main_later > main
    assert aux_later < aux


def test_the_average_is_updated_after_it_is_used(vector: Any) -> None:
    m, a = vector(3, 4), vector(-5, 0)
    algorithm_1, appendix = (
        Bloop(HALF, HALF, project_on=which) for which in ("previous", "updated")
    )
    assert equal(algorithm_1.step([m, a], algorithm_1.init(m))[0], "1/2", 4)
    assert equal(appendix.step([m, a], appendix.init(m))[0], "7/5", "26/5")
