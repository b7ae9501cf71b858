"""Gradients of unlike sizes in one scale: squares down to 1e-280, and products of two of them."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from bloop_ref import surgery
from tests import tolerances

U = 2.0**-53
HALF = Fraction(1, 2)
TARGET = 0.8
COTANGENT = 4 / 3
MODULATED: dict[str, Any] = {"gamma": 0, "beta1": HALF, "beta2": HALF, "epsilon": 0}
Bound = Callable[[np.ndarray, np.ndarray], float]


def norm(x: Any) -> float:
    return tolerances.norm(np.asarray(x, dtype=float))


def near_both(m: np.ndarray, a: np.ndarray) -> float:
    return tolerances.surgery_factor() * U * (norm(m) + norm(a))


def near_main(m: np.ndarray, a: np.ndarray) -> float:
    # what is taken out of m, or brought to the norm of m, is no longer than m
    return 2 * tolerances.surgery_factor() * U * norm(m)


def near_least(m: np.ndarray, a: np.ndarray) -> float:
    # beside a huge gradient all that MGDA weights is of the size of the tiny one
    least = min(norm(m), norm(a))
    return tolerances.segment_bound(U, least, 0, least)


def of_a_row(size: float) -> float:
    """Return the bound for weights that err as inner products do."""
    return tolerances.row_rounding(U, 2, size) + tolerances.product_error(U, 2) * size


def lifted(m: np.ndarray, a: np.ndarray) -> float:
    cosine = (m / norm(m)) @ (a / norm(a))
    sine = math.sqrt(1 - cosine**2)
    return tolerances.lift_bound(U, norm(m), COTANGENT, sine)


def modulated(m: np.ndarray, a: np.ndarray) -> float:
    # Psi is 0 to rounding, and h^ is 1
    size = norm(m * m) + norm(a * a)
    error = tolerances.modulation_error(U, 2, 1.0, 1.0)
    return error * size + tolerances.row_rounding(U, 2, size)


TWO: dict[str, tuple[surgery.Method, Bound]] = {
    "mixed": (surgery.Mixed(HALF), near_both),
    "a_gem": (surgery.AGem(), near_main),
    "barrier": (surgery.DynamicBarrier(), near_both),
    "weighted": (surgery.CosineGate(), near_both),
    "unweighted": (surgery.CosineGate(weighted=False), near_both),
    "mgda": (surgery.MGDA(), near_least),
    "grad_vac": (surgery.GradVac(0, target=TARGET), lambda m, a: lifted(m, a) + lifted(a, m)),
    "grad_vac, main": (surgery.GradVac(0, target=TARGET, two_sided=False), lifted),
    "pcgrad": (surgery.PCGrad(), near_both),
    "pcgrad, main": (surgery.PCGrad(0), near_main),
    "balance": (surgery.MetaBalance(relaxation=1, beta=0), near_main),
    "cagrad": (surgery.CAGrad(HALF), lambda m, a: of_a_row(2 * (norm(m) + norm(a)))),
    "equalised": (surgery.SamGS(gamma=2), lambda m, a: of_a_row(norm(m) + norm(a))),
    "modulated": (surgery.SamGS(**MODULATED), modulated),
}


def apart(found: Any, exact: Any) -> float:
    """Return the distance of a float64 vector from one of fractions."""
    return norm([Fraction(float(x)) - y for x, y in zip(found, exact, strict=True)])


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("ratio", [1e100, 1e-100, 1e140, 1e-140])
def test_two_gradients(name: str, ratio: float, rational: Any) -> None:
    method, bound = TWO[name]
    for other in ([-5.0, 1.0], [5.0, 1.0], [-8.0, -6.0], [8.0, -6.0]):
        m, a = np.array([3.0, 4.0]), ratio * np.array(other)
        assert apart(method(m, a), method(*rational([m, a]))) <= bound(m, a)


THREE: dict[str, surgery.Method] = {
    "mixed": surgery.Mixed(HALF),
    "barrier": surgery.DynamicBarrier(),
    "weighted": surgery.CosineGate(),
    "unweighted": surgery.CosineGate(weighted=False),
    "grad_vac": surgery.GradVac(0),
    "pcgrad": surgery.PCGrad(),
    "balance": surgery.MetaBalance(relaxation=0, beta=0),
}


def two_tiny(ratio: float, sign: int = -1) -> list[np.ndarray]:
    """Return two gradients in conflict or not, and one across that makes their squares tiny."""
    tiny = [ratio * np.array(v) for v in ([3.0, 4.0, 0.0], [sign * 5.0, 1.0, 0.0])]
    return [*tiny, np.array([0.0, 0.0, 5.0])]


@pytest.mark.parametrize("name", THREE)
@pytest.mark.parametrize("ratio", [1e-100, 1e-140])
@pytest.mark.parametrize("turn", [0, 1, 2])
@pytest.mark.parametrize("sign", [1, -1])
def test_two_tiny_gradients_beside_another(
    name: str, ratio: float, turn: int, sign: int, rational: Any
) -> None:
    method, g = THREE[name], two_tiny(ratio, sign)
    g = g[turn:] + g[:turn]
    found, exact = method(*g), method(*rational(g))
    # nothing of the other gradient reaches the two coordinates of the tiny ones
    size = sum(norm(x[:2]) for x in g)
    assert apart(found[:2], exact[:2]) <= tolerances.surgery_factor() * U * size
    assert apart(found, exact) <= tolerances.surgery_factor() * U * sum(map(norm, g))


@pytest.mark.parametrize("ratio", [1e-100, 1e-140])
def test_norms_and_cosines_of_tiny_gradients(ratio: float, rational: Any) -> None:
    g = two_tiny(ratio)
    for method in (surgery.GradVac(1), surgery.MetaBalance(beta=0), surgery.SamGS(**MODULATED)):
        _, state = method.step(g, method.init(g[0], losses=3))
        exact = rational(g)
        _, expected = method.step(exact, method.init(exact[0], losses=3))
        for x, y in zip(flat(state.scalars), flat(expected.scalars), strict=True):
            bound = tolerances.cosine_bound() + tolerances.norm_bound(1.0)
            assert abs(Fraction(float(x)) - y) <= Fraction(bound) * abs(y)


def flat(scalars: Any) -> list[Any]:
    """Return scalars that may be in rows."""
    return [x for row in scalars for x in (row if isinstance(row, tuple) else (row,))]


@pytest.mark.parametrize("ratio", [1e-100, 1e-140])
def test_searches_see_tiny_gradients(ratio: float, rational: Any) -> None:
    g = two_tiny(ratio)
    d, least = surgery.MGDA()(*g), surgery.MGDA()(*rational(g))
    # a point whose conditions are satisfied to v lies within the root of v of the least one
    assert apart(d, least) <= math.sqrt(tolerances.search_bound(3, norm(g[1])))
    c, mean = 0.5, sum(g) / 3
    # a huge gradient across the tiny ones has next to no weight; of these, the least point
    pull = np.asarray(surgery.MGDA()(*rational(g[:2])), dtype=float)
    found = surgery.CAGrad(c)(*g) - mean
    radius = c * norm(mean)
    share = norm(g[1]) / norm(pull)
    bound = radius * math.sqrt(2 * tolerances.search_bound(3, 1.0) * share)
    assert norm(found - radius * pull / norm(pull)) <= bound
