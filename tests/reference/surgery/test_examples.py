"""Examples worked by hand, exactly: the canonical gradients have rational norms and cosines."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from bloop_ref import Gramian, HierarchicalBloop, surgery

M, X, Y, ORTHOGONAL, Z = (3, 4), (-5, 0), (5, 0), (8, -6), (-8, -6)
THREE = ((1, 0), (-1, 1), (-10, -1))
ASCENDING, DESCENDING = ((1, 2), (0, 2), (0, 1)), ((2, 1), (2, 0), (1, 0))


def numbers(*values: Any) -> list[Fraction]:
    return [Fraction(value) for value in values]


def exactly(rational: Any, call: Any, *gradients: Any) -> list[Any]:
    found = list(call(*rational([np.array(gradient, dtype=object) for gradient in gradients])))
    assert all(isinstance(x, Fraction) for x in found)
    return found


R = Fraction(7, 10)
EXACT: dict[str, Any] = {
    "gamma": Fraction(1, 10),
    "beta1": Fraction(9, 10),
    "beta2": Fraction(99, 100),
    "epsilon": 0,
}
EXAMPLES: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
    "mixed": (surgery.Mixed(Fraction(1, 2)), X, ("1/2", 4)),
    "mixed, rescaled": (
        lambda m, a: surgery.Mixed(2, rescale=True)(m, a),
        X,
        ("-7/3", "4/3"),
    ),
    "a_gem X": (surgery.AGem(), X, (0, 4)),
    "a_gem Z": (surgery.AGem(), Z, ("-21/25", "28/25")),
    "a_gem Y": (surgery.AGem(), Y, (3, 4)),
    "a_gem O": (surgery.AGem(), ORTHOGONAL, (3, 4)),
    "barrier X": (surgery.DynamicBarrier(), X, ("-1/5", "32/5")),
    "barrier Y": (surgery.DynamicBarrier(), Y, ("31/5", "8/5")),
    "barrier X, level": (
        lambda m, a: surgery.DynamicBarrier(level=0)(m, a, main_loss=2),
        X,
        ("-74/25", "68/25"),
    ),
    "barrier Y, level": (
        lambda m, a: surgery.DynamicBarrier(level=0)(m, a, main_loss=2),
        Y,
        (5, 0),
    ),
    "barrier X, lambda": (
        surgery.DynamicBarrier(lam=Fraction(1, 2)),
        X,
        ("7/5", "26/5"),
    ),
    "barrier Y, lambda": (surgery.DynamicBarrier(lam=2), Y, (10, 0)),
    "mgda X": (surgery.MGDA(), X, (-1, 2)),
    "mgda Z": (surgery.MGDA(), Z, ("-140/221", "154/221")),
    "weighted Y": (surgery.CosineGate(), Y, (6, 4)),
    "weighted X": (surgery.CosineGate(), X, (3, 4)),
    "weighted O": (surgery.CosineGate(), ORTHOGONAL, (3, 4)),
    "unweighted Y": (surgery.CosineGate(weighted=False), Y, (8, 4)),
    "unweighted X": (surgery.CosineGate(weighted=False), X, (3, 4)),
    "grad_vac X": (
        surgery.GradVac(0, target=Fraction(4, 5)),
        X,
        ("-16/3", "32/3"),
    ),
    "grad_vac X, main": (
        surgery.GradVac(0, target=Fraction(4, 5), two_sided=False),
        X,
        ("-16/3", 4),
    ),
    "grad_vac X, auxiliary": (
        lambda m, a: surgery.GradVac(0, target=Fraction(4, 5), two_sided=False)(a, m),
        X,
        (0, "20/3"),
    ),
    "grad_vac Y": (
        surgery.GradVac(0, target=Fraction(4, 5), two_sided=False),
        Y,
        ("16/3", 4),
    ),
    "grad_vac Z": (
        surgery.GradVac(0, target=0, two_sided=False),
        Z,
        ("-21/25", "28/25"),
    ),
    "pcgrad X": (surgery.PCGrad(), X, ("-16/5", "32/5")),
    "pcgrad X, lambda": (
        surgery.PCGrad(lam=Fraction(1, 2)),
        X,
        ("-8/5", "26/5"),
    ),
    "pcgrad Z": (surgery.PCGrad(), Z, ("-77/25", "14/5")),
    "pcgrad Y": (surgery.PCGrad(), Y, (8, 4)),
    "balance 1": (surgery.MetaBalance(relaxation=1, beta=0), Z, (-1, 1)),
    "balance 7/10": (
        surgery.MetaBalance(relaxation=R, beta=0),
        Z,
        ("-11/5", "1/10"),
    ),
    "balance 0": (surgery.MetaBalance(relaxation=0, beta=0), Z, (-5, -2)),
    "sam_gs": (surgery.SamGS(**EXACT), (0, 10), (45, 580)),
    "sam_gs, unlike": (
        surgery.SamGS(**EXACT),
        (0, -200),
        ("123/2", "-41/2"),
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_two_gradients(name: str, rational: Any) -> None:
    call, a, expected = EXAMPLES[name]
    assert exactly(rational, call, M, a) == numbers(*expected)


def test_mgda_ends_at_the_shorter_gradient(rational: Any) -> None:
    assert exactly(rational, surgery.MGDA(), (1, 0), (3, 1)) == [1, 0]
    assert exactly(rational, surgery.MGDA(), (3, 1), (1, 0)) == [1, 0]


def test_mgda_weights() -> None:
    gram = Gramian(dict(zip(((0, 0), (0, 1), (1, 1)), numbers(25, -48, 100), strict=True)), size=2)
    row, _ = surgery.MGDA().weights(gram, ())
    assert row == (Fraction(148, 221), Fraction(73, 221))


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        (ASCENDING, ("-65/101", "189/202")),
        (DESCENDING, ("-9/202", "-9/202")),
        (((1, 2, 0), (0, 2, 1), (0, 1, 2)), ("-121/202", "189/202")),
    ],
)
def test_the_order_of_pcgrad_matters(orders: Any, expected: Any, rational: Any) -> None:
    found = exactly(rational, surgery.PCGrad(orders=orders), *THREE)
    assert found == numbers(*expected)


@pytest.mark.parametrize(
    ("orders", "parts"),
    [
        (ASCENDING, (("-9/202", "45/101"), ("-10/101", "100/101"), ("-1/2", "-1/2"))),
        (DESCENDING, (("-9/202", "-9/202"), (0, 1), (0, -1))),
    ],
)
def test_every_part_of_pcgrad(orders: Any, parts: Any, rational: Any) -> None:
    for i, expected in enumerate(parts):
        # with the one gradient first and no weight on the others, only its part is left
        turned = [(i + k) % 3 for k in range(3)]
        rows = [[turned.index(j) for j in orders[k]] for k in turned]
        found = exactly(
            rational,
            surgery.PCGrad(lam=0, orders=rows),
            *(THREE[k] for k in turned),
        )
        assert found == numbers(*expected)


def test_grad_vac_moves_its_targets_by_the_cosine_before(rational: Any) -> None:
    m, a = rational([np.array(M), np.array(X)])
    method = surgery.GradVac(Fraction(1, 100))
    _, state = method.step([m, a], method.init(m))
    assert state.scalars == ((0, Fraction(-3, 500)), (Fraction(-3, 500), 0))


def test_meta_balance_averages_norms(rational: Any) -> None:
    m, a = rational([np.array(M), np.array(Z)])
    method = surgery.MetaBalance(relaxation=1, beta=Fraction(9, 10))
    d, state = method.step([m, a], method.init(m))
    assert state.scalars == (Fraction(1, 2), 1)
    assert list(d) == list(m + a / 2)
    d, state = method.step([2 * m, a / 2], state)
    assert state.scalars == (Fraction(29, 20), Fraction(7, 5))
    assert list(d) == list(2 * m + Fraction(29, 28) * a / 2)


def test_two_steps_of_sam_gs(rational: Any) -> None:
    half = Fraction(1, 2)
    method = surgery.SamGS(gamma=half / 5, beta1=half, beta2=half, epsilon=0)
    state = method.init(rational(np.zeros(2)))
    for pair, expected in (
        (((3, 4), (0, 10)), numbers(45, 580)),
        (((-6, 8), (0, 5)), numbers(-90, "1300/3")),
    ):
        g = rational([np.array(v) for v in pair])
        d, state = method.step(g, state)
        assert list(d) == expected
    h, decay1, decay2 = state.scalars
    assert h / (1 - decay2) == Fraction(1, 25)
    corrected = [momentum / (1 - decay1) for momentum in state.memory]
    assert [list(v) for v in corrected] == [numbers(-3, "20/3"), numbers(0, "20/3")]


@pytest.mark.parametrize(("lam", "e", "expected"), [("1/2", M, ("7/5", "26/5"))])
def test_hierarchy(lam: str, e: Any, expected: Any, rational: Any) -> None:
    method = HierarchicalBloop([Fraction(lam)], 1, project_on="updated")
    g = rational([np.array(e), np.array(X)])
    d, _ = method.step(g, method.init(g[0], losses=2))
    assert list(d) == numbers(*expected)


def test_three_levels() -> None:
    method = HierarchicalBloop([2.0, 1.0], 1.0, project_on="updated")
    g = [np.array(v) for v in ([1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 2.0])]
    d, _ = method.step(g, method.init(g[0], losses=3))
    np.testing.assert_array_equal(d.round(9), [1, 1, 3])
