"""More than two losses: what stays true of PCGrad, GradVac, MGDA, CAGrad and the others."""

import sys
from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloop_proofs import tolerances
from bloop_ref import Gramian, surgery
from bloop_ref.gramian import all_pairs

POSITIVE = st.builds(Fraction, st.integers(1, 9), st.integers(1, 9))
ORDERS = st.tuples(*[st.permutations([j for j in range(3) if j != i]) for i in range(3)])
FEW = settings(max_examples=25)


@FEW
@given(data=st.data(), scales=st.lists(POSITIVE, min_size=3, max_size=3), orders=ORDERS)
def test_every_part_scales_with_its_own_gradient(
    data: Any, scales: Any, orders: Any, plane: Any
) -> None:
    g = data.draw(plane(3))
    stretched = [s * x for s, x in zip(scales, g, strict=True)]
    found = surgery.PCGrad(orders=orders)(*stretched)
    # which is what the weights of the lambda form do
    expected = surgery.PCGrad(lam=[s / scales[0] for s in scales[1:]], orders=orders)(*g)
    assert np.all(found == scales[0] * expected)
    one_sided: dict[str, Any] = {"target": Fraction(3, 5), "two_sided": False, "orders": orders}
    assert np.all(
        surgery.GradVac(0, **one_sided)(*stretched)
        == scales[0] * surgery.GradVac(0, **one_sided)(*g)
    )


@FEW
@given(data=st.data(), orders=ORDERS)
def test_grad_vac_with_targets_of_zero_is_pcgrad(data: Any, orders: Any, plane: Any) -> None:
    g = data.draw(plane(3))
    zeros = [[0] * 3] * 3
    found = surgery.GradVac(0, target=zeros, orders=orders)(*g)
    assert np.all(found == surgery.PCGrad(orders=orders)(*g))


def test_pcgrad_of_three_may_oppose_a_gradient(rational: Any, dot: Any) -> None:
    g = rational([np.array(v) for v in ((1, 0), (-1, 1), (-10, -1))])
    d = surgery.PCGrad(orders=[[1, 2], [0, 2], [0, 1]])(*g)
    assert dot(d, g[0]) < 0


@FEW
@given(data=st.data(), count=st.integers(1, 5))
def test_mgda_is_the_point_of_least_norm(data: Any, count: int, plane: Any, dot: Any) -> None:
    g = data.draw(plane(count))
    gram = Gramian({(i, j): dot(g[i], g[j]) for i, j in all_pairs(count)}, size=count)
    weights, _ = surgery.MGDA().weights(gram, ())
    assert sum(weights) == 1
    assert min(weights) >= 0
    d = surgery.MGDA()(*g)
    assert np.all(d == sum(w * x for w, x in zip(weights, g, strict=True)))
    assert all(dot(d, x) >= dot(d, d) for x in g)


@FEW
@given(data=st.data(), count=st.integers(2, 6))
def test_mgda_in_floats(data: Any, count: int, gradients: Any) -> None:
    g = [np.concatenate([np.ravel(x) for x in v]) for v in data.draw(gradients(count, "float64"))]
    size = max(map(tolerances.norm, g))
    g = [x / size for x in g] if size else g
    d = surgery.MGDA()(*g)
    bound = tolerances.search_bound(count, 1.0)
    assert min(x @ d for x in g) >= d @ d - bound


@FEW
@given(data=st.data(), count=st.integers(2, 6), c=st.sampled_from([0.0, 0.25, 0.5, 0.9]))
def test_cagrad_is_the_best_for_the_worst_off(data: Any, count: int, c: float) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    g = np.random.default_rng(seed).normal(size=(count, 4))
    mean, size = g.mean(axis=0), max(map(tolerances.norm, g))
    d = surgery.CAGrad(c)(*g)
    radius = c * tolerances.norm(mean)
    assert abs(tolerances.norm(d - mean) - radius) <= tolerances.rounding(size, 4 * count)
    if radius:
        # by duality no direction so near gives the worst-off more than <g_w, g_0> + r ||g_w||,
        # whatever the weights w >= 0 of sum 1
        gram = Gramian({(i, j): g[i] @ g[j] for i, j in all_pairs(count)}, size=count)
        pulls = np.maximum(np.array(surgery.CAGrad(c).weights(gram, ())[0]) - 1 / count, 0)
        towards = pulls @ g / pulls.sum()
        length = tolerances.norm(towards)
        bound = tolerances.search_bound(count, size, curvature=1 + radius / length)
        assert min(g @ d) >= towards @ mean + radius * length - bound


def test_cagrad_at_its_edges() -> None:
    g = np.array([3.0, 4.0])
    np.testing.assert_array_equal(surgery.CAGrad(0.5)(g), 1.5 * g)
    np.testing.assert_array_equal(surgery.CAGrad(0.5)(g, g), 1.5 * g)
    np.testing.assert_array_equal(surgery.CAGrad(0.5)(g, -g), 0 * g)
    np.testing.assert_array_equal(surgery.CAGrad(0)(g, 3 * g), 2 * g)
    np.testing.assert_array_equal(surgery.CAGrad(0.5)(*[0 * g] * 3), 0 * g)
    # 0 lies between them, so that no weights give a direction to add
    np.testing.assert_array_equal(surgery.CAGrad(0.5)(2 * g, 0 * g), g)


def test_cagrad_of_many_names_the_package_it_needs(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    g = np.array([3.0, 4.0])
    surgery.CAGrad(0.5)(g, g)
    with pytest.raises(ImportError, match=r"more than two losses needs SciPy: pip install"):
        surgery.CAGrad(0.5)(g, g, g)


def test_several_auxiliary_losses_are_weighted_each(rational: Any) -> None:
    m, a, b = rational([np.array(v) for v in ((3, 4), (-5, 0), (0, -5))])
    lams = [Fraction(1, 2), Fraction(2)]
    assert np.all(surgery.Mixed(lams)(m, a, b) == m + a / 2 + 2 * b)
    together = a / 2 + 2 * b
    found = surgery.DynamicBarrier(lam=lams)(m, a, b)
    assert np.all(found == surgery.DynamicBarrier(lam=1)(m, together))
    gated = surgery.CosineGate()(m, -a, b)
    assert np.all(gated == m - Fraction(3, 5) * a)
    balanced = surgery.MetaBalance(relaxation=1)(m, 2 * a, b / 5)
    assert np.all(balanced == m + a + b)


def test_seeded_orders_are_permutations_that_change_from_step_to_step() -> None:
    g = [np.array(v) for v in ((1.0, 0.0), (-1.0, 1.0), (-10.0, -1.0))]
    possible = {tuple(surgery.PCGrad(orders=rows)(*g)) for rows in permutations_of_the_others()}
    method = surgery.PCGrad(seed=5)
    state = method.init(g[0], losses=3)
    seen = []
    for _ in range(12):
        d, state = method.step(g, state)
        seen.append(tuple(d))
    assert set(seen) <= possible
    assert len(set(seen)) > 1
    assert int(state.count) == 12
    again = surgery.PCGrad(seed=5).step(g, state._replace(count=np.asarray(3)))[0]
    assert tuple(again) == seen[3]
    period = state._replace(count=np.asarray(1024 + 3))
    assert tuple(method.step(g, period)[0]) == seen[3]
    assert tuple(surgery.PCGrad(seed=5)(*g)) == seen[0]


def permutations_of_the_others() -> list[Any]:
    return [
        (a, b, c)
        for a in permutations((1, 2))
        for b in permutations((0, 2))
        for c in permutations((0, 1))
    ]
