"""IRE on a valley of minima: how far it goes, what its flow keeps, how much faster SAM becomes."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from bloop_proofs.problems import flat_minima as valley
from bloop_ref import ire
from bloop_reproduction.claims.neighbours_runs import average_sam_excess, descend, sam_steps, step
from tests.tolerances import flow_bound

NOWHERE = (False, False)


def test_the_mask_finds_the_flat_coordinate() -> None:
    """At a minimum; and from one gradient nearby, |v| < |u| making u v^2 the smaller entry."""
    at_minimum = tuple(np.asarray(h) for h in valley.curvature_at_minimum(Fraction(1)))
    nearby = tuple(np.asarray(g) for g in valley.gradient((1.0, 0.01)))
    for score in (at_minimum, ire.curvature(nearby)):
        assert tuple(map(bool, ire.mask(score, 0.5))) == valley.FLAT


@pytest.mark.parametrize(
    ("kappa", "first", "second"),
    [
        (0, ("9999/10000", "-1/100"), ("99980001/100000000", "99980001/10000000000")),
        (9000, ("999/10000", "-1/100"), ("998001/100000000", "998001/10000000000")),
    ],
)
def test_the_first_two_steps_exactly(kappa: int, first: Any, second: Any) -> None:
    start = Fraction(1), Fraction(1, 100)
    for steps, expected in ((1, first), (2, second)):
        assert descend(Fraction(kappa), steps, start=start) == tuple(map(Fraction, expected))


@pytest.mark.parametrize(
    ("kappa", "limit"),
    [(0.0, "0.992887"), (90.0, "0.928491"), (900.0, "0.742592"), (9000.0, "0.009979")],
)
def test_more_enhancement_ends_at_flatter_minima(kappa: float, limit: str) -> None:
    u, v = descend(kappa, 1500)
    assert f"{u:.6f}" == limit
    assert f"{v:.6f}".lstrip("-") == "0.000000"


def test_the_end_of_a_hundred_plain_steps() -> None:
    assert f"{descend(0.0, 100)[0]:.6f}" == "0.993674"


def test_a_larger_rate_diverges_where_enhancement_does_not() -> None:
    """eta = 2 moves v past the edge of stability, eta (1 + u^2) < 2; kappa leaves v alone."""
    early, late = (descend(0.0, steps, eta=2.0) for steps in (4, 10))
    assert tuple(f"{abs(x):.4f}" for x in early) == ("0.8395", "0.7883")
    assert max(map(abs, late)) > 1e29


@pytest.mark.parametrize(
    ("kappa", "limit"), [(0.0, "0.937543"), (9.0, "0.430552"), (99.0, "6.1442e-06")]
)
def test_the_flow_ends_at_the_root_of_its_invariant(kappa: float, limit: str) -> None:
    root = valley.flow_limit(1.0, 0.5, kappa)
    assert limit in (f"{root:.6f}", f"{root:.4e}")
    u, v, steps = valley.flow(1.0, 0.5, kappa, time=40.0)
    assert v < 2.0**-53
    assert abs(u - root) <= flow_bound(1.0, root, steps) * root


@pytest.mark.parametrize("kappa", [0.0, 9.0, 99.0])
@pytest.mark.parametrize("time", [0.1, 1.0, 3.0])
def test_the_flow_keeps_its_invariant(kappa: float, time: float) -> None:
    """An error of ln u enters with 1 + u^2 <= 2, one of ln v with (1 + kappa) v^2."""
    u, v, steps = valley.flow(1.0, 0.5, kappa, time)
    sensitivity = 2 + (1 + kappa) * 0.5**2
    drift = valley.invariant(u, v, kappa) - valley.invariant(1.0, 0.5, kappa)
    assert abs(drift) <= sensitivity * flow_bound(1.0, u, steps)


@pytest.mark.parametrize(
    ("eta", "rho", "steps"),
    [
        (0.1, 0.1, {0.0: 590, 1.0: 295, 10.0: 54}),
        pytest.param(0.02, 0.05, {0.0: 13439, 1.0: 6719, 20.0: 640}, marks=pytest.mark.slow),
    ],
)
def test_enhanced_sam_is_faster_by_one_plus_kappa(
    eta: float, rho: float, steps: dict[float, int]
) -> None:
    """u drifts by -eta (1 + kappa) rho^2 u to first order: ln 2 / (eta rho^2 (1 + kappa)) steps."""
    found = {kappa: sam_steps(eta=eta, radius=rho, kappa=kappa) for kappa in steps}
    assert found == steps
    if rho == 0.05:
        assert f"{found[0.0] / found[20.0]:.3f}" == "20.998"


@pytest.mark.parametrize("u", [Fraction(1), Fraction(-2, 7), Fraction(5)])
@pytest.mark.parametrize("radius", [Fraction(1, 10), Fraction(3)])
def test_average_sam_descends_the_sharpness(u: Fraction, radius: Fraction) -> None:
    """The mean slope over the circle about (u, 0) is (radius^2 u / 2, 0).

    It is a trigonometric polynomial of degree 3, so the mean over four equidistant points is that
    over the circle, if one allows for what the four cannot tell apart: nothing below degree 4.
    """
    assert average_sam_excess(u, radius) == (0, 0)


def test_average_sam_for_every_point_and_radius() -> None:
    sympy = pytest.importorskip("sympy", reason="sympy is not installed")
    u, radius, angle = sympy.symbols("u rho phi", real=True)
    around = u + radius * sympy.cos(angle), radius * sympy.sin(angle)
    turn = 2 * sympy.pi
    means = [sympy.integrate(x, (angle, 0, turn)) / turn for x in valley.gradient(around)]
    expected = radius**2 / 2 * valley.sharpness_gradient(u), 0
    assert [sympy.simplify(x - y) for x, y in zip(means, expected, strict=True)] == [0, 0]


def test_the_slope_is_that_of_the_loss() -> None:
    sympy = pytest.importorskip("sympy", reason="sympy is not installed")
    u, v = sympy.symbols("u v", real=True)
    slope = [sympy.diff(valley.loss((u, v)), x) for x in (u, v)]
    assert [sympy.expand(x - y) for x, y in zip(slope, valley.gradient((u, v)), strict=True)] == [
        0,
        0,
    ]
    hessian = sympy.hessian(valley.loss((u, v)), (u, v)).subs(v, 0)
    assert hessian == sympy.diag(*valley.curvature_at_minimum(u))
    assert sympy.diff(hessian.trace() / 2, u) == valley.sharpness_gradient(u)


def test_no_slope_no_ascent() -> None:
    assert valley.ascended((0.5, 0.0), 0.1) == (0.5, 0.0)


def test_nothing_flat_is_plain_descent() -> None:
    slope = valley.gradient((1.0, 0.5))
    amplified = step((1.0, 0.5), slope, eta=0.1, kappa=9.0, mask=NOWHERE)
    assert amplified == step((1.0, 0.5), slope, eta=0.1, kappa=0.0)
