"""Floating-point arithmetic: near the exact direction, at every scale, and blind to no NaN."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bloop_ref import surgery
from tests import tolerances

FEW = settings(max_examples=20)
COTANGENT = Fraction(4, 3)  # of the target 4/5

TWO: dict[str, Any] = {
    "a_gem": surgery.AGem(),
    "barrier": surgery.DynamicBarrier(beta=2),
    "weighted": surgery.CosineGate(),
    "unweighted": surgery.CosineGate(weighted=False),
    "pcgrad": surgery.PCGrad(),
    "balance": surgery.MetaBalance(relaxation=Fraction(1, 2), beta=0),
    "mgda": surgery.MGDA(),
    "grad_vac": surgery.GradVac(0, target=0.8),
    "cagrad": surgery.CAGrad(0.5),
    "equalised": surgery.SamGS(gamma=2),
}
MANY: dict[str, Any] = {
    "mixed": surgery.Mixed(0.3),
    "barrier": surgery.DynamicBarrier(),
    "weighted": surgery.CosineGate(),
    "pcgrad": surgery.PCGrad(),
    "grad_vac": surgery.GradVac(0, target=0.8),
    "balance": surgery.MetaBalance(),
    "mgda": surgery.MGDA(),
    "equalised": surgery.SamGS(gamma=2),
}
EXACT = ("a_gem", "barrier", "weighted", "unweighted", "pcgrad", "balance")


def flat(tree: Any) -> np.ndarray:
    return np.concatenate([np.ravel(leaf) for leaf in tree])


def length(vector: Any) -> float:
    return tolerances.norm(np.asarray(vector, dtype=float))


@pytest.mark.parametrize("name", EXACT)
@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]))
def test_near_the_exact_direction(
    name: str, data: Any, dtype: str, gradients: Any, rational: Any
) -> None:
    m, a = (flat(v) for v in data.draw(gradients(2, dtype)))
    exact = TWO[name](*rational([m, a]))
    error = length(TWO[name](m, a).astype(float) - exact)
    bound = 2 * tolerances.surgery_factor() * tolerances.unit_roundoff([m])
    # twice: a barrier of 2 ||m||^2, and norms of the exact direction that are rounded
    assert error <= bound * (length(m) + length(a))


@given(data=st.data())
def test_mgda_is_near_the_exact_direction(data: Any, gradients: Any, rational: Any) -> None:
    m, a = (flat(v) for v in data.draw(gradients(2, "float64")))
    apart = length(m - a)
    assume(apart > 0)
    error = length(surgery.MGDA()(m, a) - surgery.MGDA()(*rational([m, a])))
    assert error <= tolerances.segment_bound(2.0**-53, length(m), length(a), apart)


@given(data=st.data())
def test_grad_vac_is_near_the_exact_direction(data: Any, plane: Any) -> None:
    exact = data.draw(plane(2))
    m, a = (np.asarray(v, dtype=float) for v in exact)
    assume(length(m) and length(a))
    sine = abs(float(exact[0][0] * exact[1][1] - exact[0][1] * exact[1][0]))
    sine /= length(m) * length(a)
    assume(sine > 0)
    options: dict[str, Any] = {"two_sided": False}
    truth = surgery.GradVac(0, target=Fraction(4, 5), **options)(*exact)
    error = length(surgery.GradVac(0, target=0.8, **options)(m, a) - truth)
    # a rounded entry turns the gradient by u, which moves the direction by as much again
    assert error <= 2 * tolerances.lift_bound(2.0**-53, length(m), float(COTANGENT), sine)


@FEW
@pytest.mark.parametrize("name", TWO)
@given(data=st.data(), power=st.integers(-900, 900))
def test_powers_of_two_pass_through(name: str, data: Any, power: int, gradients: Any) -> None:
    m, a = (np.sign(x) * np.abs(x) ** 0.5 for x in map(flat, data.draw(gradients(2, "float64"))))
    found = TWO[name](np.ldexp(m, power), np.ldexp(a, power))
    np.testing.assert_array_equal(found, np.ldexp(TWO[name](m, a), power))


@FEW
@given(data=st.data(), power=st.integers(-300, 300))
def test_modulation_is_of_degree_two(data: Any, power: int, gradients: Any) -> None:
    m, a = (np.sign(x) * np.abs(x) ** 0.5 for x in map(flat, data.draw(gradients(2, "float64"))))
    found = surgery.SamGS(gamma=0)(np.ldexp(m, power), np.ldexp(a, power))
    np.testing.assert_array_equal(found, np.ldexp(surgery.SamGS(gamma=0)(m, a), 2 * power))


@FEW
@given(data=st.data(), power=st.integers(-350, 350))
def test_the_scale_of_the_protected_gradient_is_not_seen(
    data: Any, power: int, gradients: Any
) -> None:
    m, a = (np.sign(x) * np.abs(x) ** 0.5 for x in map(flat, data.draw(gradients(2, "float64"))))
    np.testing.assert_array_equal(surgery.AGem()(m, np.ldexp(a, power)), surgery.AGem()(m, a))


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("sizes", [(1e300, 1e-300), (1e-300, 1e300), (1.0, 1e-150), (1e-150, 1.0)])
def test_what_lies_too_far_apart_shows(name: str, sizes: Any) -> None:
    for other in ([-5.0, 1.0], [5.0, 1.0], [-8.0, -6.0]):
        found = TWO[name](sizes[0] * np.array([3.0, 4.0]), sizes[1] * np.array(other))
        assert np.isnan(found).all()


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize(
    "sizes",
    [(1e300, 1e300), (1e300, 1e160), (1e160, 1e300), (1e-300, 1e-160), (1e-160, 1e-300)],
)
def test_extreme_scales(name: str, sizes: Any, rational: Any) -> None:
    for other in ([-5.0, 0.0], [5.0, 0.0], [-8.0, -6.0]):
        m, a = sizes[0] * np.array([3.0, 4.0]), sizes[1] * np.array(other)
        found = TWO[name](m, a)
        exact = TWO[name](*rational([m, a]))
        bound = 2 * tolerances.surgery_factor() * 2.0**-53 * (5 * sizes[0] + 10 * sizes[1])
        assert all(
            abs(Fraction(float(x)) - y) <= Fraction(bound)
            for x, y in zip(found, exact, strict=True)
        )


@pytest.mark.parametrize("name", MANY)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_not_finite_shows(name: str, bad: float, place: int) -> None:
    g = [np.array([3.0, 4.0, 0.0]), np.array([-5.0, 1.0, 0.0]), np.array([1.0, -7.0, 0.0])]
    g[place][1] = bad
    assert not np.isfinite(MANY[name](*g)[1])


@pytest.mark.parametrize("name", [*TWO, "modulated", "cagrad of three"])
@pytest.mark.parametrize("other", [[-5.0, 1.0], [5.0, 1.0], [0.0, 0.0], [0.0, 1e-9]])
@pytest.mark.parametrize("place", [0, 1])
def test_nan_shows_whatever_the_other_gradient(name: str, other: Any, place: int) -> None:
    methods = {
        **TWO,
        "modulated": surgery.SamGS(gamma=0),
        "cagrad of three": lambda m, a: surgery.CAGrad(0.5)(m, a, a),
    }
    g = [np.array([3.0, np.nan]), np.array(other)]
    if place:
        g.reverse()
    assert np.isnan(methods[name](*g)[1])


@pytest.mark.parametrize("method", [surgery.GradVac, surgery.MetaBalance, surgery.SamGS])
def test_states_and_nan(method: Any) -> None:
    options = {"beta": 0.5} if method is surgery.GradVac else {}
    bad, good = np.array([3.0, np.nan]), np.array([1.0, 2.0])
    start = method(**options).init(good)
    kept = method(**options)
    d, state = kept.step([bad, good], start)
    assert np.isnan(d).any()
    assert int(state.skipped) == 1
    np.testing.assert_array_equal(kept.step([good, good], state)[0], kept(good, good))
    let_in = method(**options, nonfinite="propagate")
    _, state = let_in.step([bad, good], start)
    assert int(state.skipped) == 0
    assert np.isnan(let_in.step([good, good], state)[0]).all()
    raising = method(**options, nonfinite="raise")
    with pytest.raises(FloatingPointError, match=r"gradients\[0\], gradients\[1\] must be finite"):
        raising.step([good, bad], start)


@given(data=st.data())
def test_half_precision_neither_overflows_nor_loses_more_than_its_rounding(
    data: Any, gradients: Any, rational: Any
) -> None:
    m, a = (flat(v) for v in data.draw(gradients(2, "float16")))
    for name in EXACT[:4]:
        found = TWO[name](m, a)
        assert found.dtype == np.float16
        exact = TWO[name](*rational([m, a]))
        bound = 2 * tolerances.surgery_factor() * tolerances.unit_roundoff([m])
        assert length(found.astype(float) - exact) <= bound * (length(m) + length(a))
