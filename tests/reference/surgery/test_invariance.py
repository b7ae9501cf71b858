"""The table of invariances: what scaling, exchange and rotation do to each method, exactly."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloop_ref import bloop_direction, surgery
from tests import tolerances

POSITIVE = st.builds(Fraction, st.integers(1, 9), st.integers(1, 9))
RATIONALS = st.builds(Fraction, st.integers(-9, 9), st.integers(1, 9))
HALF, TARGET = Fraction(1, 2), Fraction(4, 5)
EXACT: dict[str, Any] = {"beta1": HALF, "beta2": HALF, "epsilon": 0}


@dataclass(frozen=True)
class Entry:
    """A method, and a row of the table."""

    direction: Callable[..., Any]
    degree: int = 1
    scale_of_a: bool = False
    symmetric: bool = False
    rotation: bool = True
    exact: bool = True


TABLE = {
    "mixed": Entry(surgery.Mixed(HALF)),
    "mixed, lam 1": Entry(surgery.Mixed(1), symmetric=True),
    "bloop": Entry(lambda m, a: bloop_direction(m, a, m, lam=HALF)),
    "barrier, lam": Entry(surgery.DynamicBarrier(lam=HALF)),
    "barrier, beta": Entry(surgery.DynamicBarrier(beta=2)),
    "a_gem": Entry(surgery.AGem(), scale_of_a=True),
    "mgda": Entry(surgery.MGDA(), symmetric=True),
    "weighted": Entry(surgery.CosineGate()),
    "unweighted": Entry(surgery.CosineGate(weighted=False)),
    "grad_vac": Entry(surgery.GradVac(0, target=TARGET), symmetric=True),
    "pcgrad": Entry(surgery.PCGrad(), symmetric=True),
    "balance": Entry(surgery.MetaBalance(relaxation=HALF, beta=0)),
    "balance, r = 1": Entry(surgery.MetaBalance(relaxation=1, beta=0), scale_of_a=True),
    "cagrad": Entry(surgery.CAGrad(HALF), symmetric=True, exact=False),
    "sam_gs, equalised": Entry(surgery.SamGS(gamma=2, **EXACT), symmetric=True),
    "sam_gs, modulated": Entry(
        surgery.SamGS(gamma=0, **EXACT),
        degree=2,
        symmetric=True,
        rotation=False,
    ),
}

each_method = pytest.mark.parametrize("name", TABLE)
X, Y, Z = (np.array(v) for v in ((-5, 0), (5, 0), (-8, -6)))
M = np.array((3, 4))


def those(wanted: Callable[[Entry], bool]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [name for name, row in TABLE.items() if wanted(row)])


def same(entry: Entry, found: Any, expected: Any) -> bool:
    """Whether directions agree; irrational ones, in floats, as well as can be told."""
    if entry.exact:
        return bool(np.all(found == expected))
    x, y = (np.asarray(v, dtype=float) for v in (found, expected))
    size = 4 * tolerances.norm(np.abs(x) + np.abs(y))
    return bool(tolerances.norm(x - y) <= tolerances.likeness_bound(2.0**-53, x.size, size))


@each_method
@given(data=st.data(), s=POSITIVE)
def test_degree_in_the_common_scale(name: str, data: Any, s: Fraction, plane: Any) -> None:
    entry, (m, a) = TABLE[name], data.draw(plane(2))
    expected = s**entry.degree * entry.direction(m, a)
    assert same(entry, entry.direction(s * m, s * a), expected)


def test_a_level_of_the_main_loss_has_no_degree(rational: Any) -> None:
    m, a = rational([M, X])

    def direction(s: int, alpha: int) -> Any:
        return surgery.DynamicBarrier(level=0, alpha=alpha)(s * m, s * a, main_loss=2)

    assert np.any(direction(2, 1) != 2 * direction(1, 1))
    # unless alpha carries the square of the scale
    assert np.all(direction(2, 4) == 2 * direction(1, 1))


@those(lambda row: row.scale_of_a)
@given(data=st.data(), s=POSITIVE)
def test_blind_to_the_scale_of_a(name: str, data: Any, s: Fraction, plane: Any) -> None:
    entry, (m, a) = TABLE[name], data.draw(plane(2))
    assert same(entry, entry.direction(m, s * a), entry.direction(m, a))


@those(lambda row: not row.scale_of_a)
def test_others_see_the_scale_of_a(name: str, rational: Any) -> None:
    entry = TABLE[name]
    m, x, y = rational([M, X, Y])
    seen = [not same(entry, entry.direction(m, 3 * a), entry.direction(m, a)) for a in (x, y)]
    assert any(seen)


@those(lambda row: row.symmetric)
@given(data=st.data())
def test_symmetric_in_the_gradients(name: str, data: Any, plane: Any) -> None:
    entry, (m, a) = TABLE[name], data.draw(plane(2))
    assert same(entry, entry.direction(a, m), entry.direction(m, a))


@those(lambda row: not row.symmetric)
def test_others_tell_main_from_auxiliary(name: str, rational: Any) -> None:
    entry = TABLE[name]
    m, x, z = rational([M, X, Z])
    seen = [not same(entry, entry.direction(a, m), entry.direction(m, a)) for a in (x, z, 2 * m)]
    assert any(seen)


@those(lambda row: row.rotation)
@given(data=st.data(), t=RATIONALS)
def test_turns_with_the_gradients(
    name: str, data: Any, t: Fraction, plane: Any, rotated: Any
) -> None:
    entry, (m, a) = TABLE[name], data.draw(plane(2))
    found = entry.direction(rotated(m, t), rotated(a, t))
    assert same(entry, found, rotated(entry.direction(m, a), t))


def test_modulation_does_not_turn(rational: Any, rotated: Any) -> None:
    entry, (m, a) = TABLE["sam_gs, modulated"], rational([M, Z])
    found = entry.direction(rotated(m, HALF), rotated(a, HALF))
    assert np.any(found != rotated(entry.direction(m, a), HALF))


@each_method
@given(data=st.data())
def test_signed_permutations_of_coordinates(name: str, data: Any, plane: Any) -> None:
    entry, (m, a) = TABLE[name], data.draw(plane(2))
    signs = np.array(data.draw(st.sampled_from([(1, 1), (1, -1), (-1, 1), (-1, -1)])), dtype=object)
    order = data.draw(st.sampled_from([[0, 1], [1, 0]]))
    found = entry.direction(signs * m[order], signs * a[order])
    assert same(entry, found, signs * np.asarray(entry.direction(m, a))[order])
