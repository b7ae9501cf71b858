"""The one protocol: what holds for every method, those of other people among them."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import optree
import pytest

from bloop_ref import (
    Bloop,
    Gramian,
    HierarchicalBloop,
    State,
    surgery,
)
from bloop_ref.vectors import align

G, A, B = np.random.default_rng(21).normal(size=(3, 5))


class Agreement(surgery.GramMethod):
    """d = m + <m, a> / ||m||^2 a; remembers the average of m and 1 + the sum of all ||m||^2."""

    def pairs(self, losses: int) -> tuple[tuple[int, int], ...]:
        return ((0, 0), (0, 1))

    def weights(self, gram: Gramian, scalars: Any, **given: Any) -> tuple[Sequence[Any], Any]:
        (seen,) = scalars
        square = gram[0, 0] * gram.unit * gram.unit
        return (1, gram[0, 1] / gram[0, 0], 0), (seen + square,)

    def remembers(self, losses: int) -> int:
        return 1

    def memory(self, losses: int) -> tuple[tuple[Any, ...], ...]:
        return ((0.5, 0, 0.5),)

    def start(self, losses: int) -> tuple[Fraction, ...]:
        return (Fraction(1),)


def test_a_method_need_not_be_a_dataclass() -> None:
    method = Agreement(nonfinite="raise")
    m, a = np.array([1.0, 2.0]), np.array([4.0, 3.0])
    direction, state = method.step([m, a], method.init(m))
    np.testing.assert_array_equal(direction, m + 2 * a)
    np.testing.assert_array_equal(state.ema, m / 2)
    assert [float(x) for x in (*state.scalars, state.count)] == [6, 1]
    direction, state = method.step([m, -a], state)
    np.testing.assert_array_equal(direction, m + 2 * a)
    np.testing.assert_array_equal(state.ema, 0.75 * m)
    assert method.diagnostics([m, a], state).norms[0] == np.sqrt(5.0)
    with pytest.raises(FloatingPointError, match=r"^gradients\[0\] must be finite"):
        method.step([m * np.nan, a], state)


def test_losses_that_a_method_does_not_take() -> None:
    for method, losses, required in (
        (Bloop(0.5, 0.5), 3, "2"),
        (Bloop(0.5, 0.5), 1, "2"),
        (surgery.DynamicBarrier(), 1, "at least 2"),
        (surgery.Mixed(0.5), 0, "at least 1"),
    ):
        expected = (
            f" must be as many as {type(method).__name__} takes: "
            f"required {required}, found {losses}$"
        )
        with pytest.raises(ValueError, match=f"^losses{expected}"):
            method.init(G, losses=losses)
        with pytest.raises(ValueError, match=f"^gradients{expected}"):
            method(*[G] * losses)
        with pytest.raises(ValueError, match=f"^gradients{expected}"):
            method.step([G] * losses, State((), (), 0, 0))


# every number of a method, as it is after 0, 1 and 2 steps
SCHEDULED: dict[str, Any] = {
    "Bloop.lam": lambda x: Bloop(x, 0.5),
    "Bloop.rho": lambda x: Bloop(0.5, x, project_on="updated"),
    "HierarchicalBloop.lams": lambda x: HierarchicalBloop([x, 0.5], 0.5),
    "HierarchicalBloop.rho": lambda x: HierarchicalBloop([1, 1], [x, 0.5], project_on="updated"),
    "HierarchicalBloop.rank_tolerance": lambda x: HierarchicalBloop(
        [1, 1], 0.5, rank_tolerance=x, project_on="updated"
    ),
    "Mixed.lam": lambda x: surgery.Mixed(x),
    "Mixed.lam[1]": lambda x: surgery.Mixed([0.5, x]),
    "PCGrad.lam": lambda x: surgery.PCGrad(x),
    "DynamicBarrier.lam": lambda x: surgery.DynamicBarrier(x),
    "DynamicBarrier.beta": lambda x: surgery.DynamicBarrier(beta=x),
    "GradVac.beta": lambda x: surgery.GradVac(x, target=0.5),
    "MetaBalance.relaxation": lambda x: surgery.MetaBalance(relaxation=x),
    "MetaBalance.beta": lambda x: surgery.MetaBalance(beta=x),
    "CAGrad.c": lambda x: surgery.CAGrad(x),
    "SamGS.gamma": lambda x: surgery.SamGS(gamma=x),
    "SamGS.beta1": lambda x: surgery.SamGS(beta1=x),
    "SamGS.beta2": lambda x: surgery.SamGS(beta2=x),
    "SamGS.epsilon": lambda x: surgery.SamGS(epsilon=x),
}
VALUES = (0.25, 0.75, 0.5)


def losses_of(name: str) -> int:
    return 3 if name.startswith("HierarchicalBloop") or "[" in name else 2


@pytest.mark.parametrize("name", SCHEDULED)
def test_every_number_may_be_a_function_of_the_step_count(name: str) -> None:
    """One method with a schedule is a new method with the number at each step."""
    gradients = [G, A, B][: losses_of(name)]
    scheduled = SCHEDULED[name](lambda count: VALUES[int(count)])
    state = expected_state = scheduled.init(G, losses=len(gradients))
    for value in VALUES:
        found, state = scheduled.step(gradients, state)
        by_hand = SCHEDULED[name](value)
        expected, expected_state = by_hand.step(gradients, expected_state)
        np.testing.assert_array_equal(found, expected)
        optree.tree_map(np.testing.assert_array_equal, state, expected_state)
        gradients = [gradients[-1], *gradients[:-1]]


def test_a_schedule_may_be_of_a_single_method_within_leaves() -> None:
    per_leaf = surgery.PerLeaf(surgery.Mixed(lambda count: VALUES[int(count)]))
    gradients = [[G, A], [A, B]]
    state = per_leaf.init(gradients[0])
    for value in VALUES:
        found, state = per_leaf.step(gradients, state)
        expected = surgery.Mixed(value)(*gradients)
        optree.tree_map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("name", SCHEDULED)
def test_a_schedule_out_of_range_is_named(name: str) -> None:
    method = SCHEDULED[name](lambda count: -1.0)
    gradients = [G, A, B][: losses_of(name)]
    label = name.split(".")[1].removesuffix("[1]")
    with pytest.raises(ValueError, match=rf"^{label}(\[\d\])? must be a .* found -1.0$"):
        method.step(gradients, method.init(G, losses=len(gradients)))


@pytest.mark.parametrize("rho", [0, 0.0, 1, lambda count: 0])
def test_what_is_watched_does_not_depend_on_rho(rho: Any) -> None:
    assert Bloop(0.5, rho).watched(2) == (0,)
    levels = HierarchicalBloop([0.5, 0.5], [rho, 1])
    assert levels.watched(3) == (0, 1)
    state = levels.init(G, losses=3)
    for k in range(3):
        gradients = [x if j != k else x * np.nan for j, x in enumerate((G, A, B))]
        assert int(levels.step(gradients, state)[1].skipped) == (k < 2)


def test_what_is_watched_is_what_may_enter_the_memory() -> None:
    assert Agreement().watched(2) == (0,)
    for method in (surgery.Mixed(0.5), surgery.MetaBalance(), surgery.SamGS()):
        assert method.watched(3) == (0, 1, 2)


STATEFUL: dict[str, Any] = {
    "Bloop": Bloop(0.5, 0.5),
    "GradVac": surgery.GradVac(0.5, target=0.5),
    "MetaBalance": surgery.MetaBalance(),
    "SamGS": surgery.SamGS(),
    "Mixed": surgery.Mixed(0.5),
}


def forms(state: Any) -> Any:
    """Return the structure of a state, and the type, shape and dtype of every leaf."""
    leaves, treespec = optree.tree_flatten(state)
    return treespec, [(type(x), x.shape, x.dtype) for x in leaves]


@pytest.mark.parametrize("name", STATEFUL)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_state_keeps_its_form(name: str, dtype: str) -> None:
    method, gradients = STATEFUL[name], [x.astype(dtype) for x in (G, A)]
    start = method.init(gradients[0])
    state = start
    for _ in range(2):
        _, state = method.step(gradients, state)
        assert type(state) is State
        assert forms(state) == forms(start)
    assert all(isinstance(x, np.ndarray) for x in optree.tree_leaves(state))


@pytest.mark.parametrize("name", ["GradVac", "MetaBalance", "SamGS"])
def test_scalars_restored_as_numbers(name: str, library: Any) -> None:
    dtype = library.dtypes("float64", "float32")[0]
    gradients = [library.vector([x.astype(dtype)]) for x in (G, A)]
    method = STATEFUL[name]
    _, state = method.step(gradients, method.init(gradients[0]))
    numbers = optree.tree_map(lambda x: float(library.fetch(library.compute([x])[0])), state[1])
    expected = method.step(gradients, state)
    found = method.step(gradients, state._replace(scalars=numbers))
    for x, y in zip(
        *(optree.tree_leaves(library.values(z)) for z in (found, expected)), strict=True
    ):
        assert x.dtype == y.dtype
        # Python's numbers are float64, whatever the device has
        if library.float64:
            np.testing.assert_array_equal(x, y)


def test_scalars_of_fractions_stay_fractions(rational: Any) -> None:
    m, a = rational(np.array([3, 4])), rational(np.array([-8, -6]))
    balance = surgery.MetaBalance(relaxation=1, beta=0)
    for nonfinite in ("skip", "propagate"):
        method = surgery.MetaBalance(relaxation=1, beta=0, nonfinite=nonfinite)
        direction, state = method.step([m, a], balance.init(m))
        assert list(direction) == [-1, 1]
        assert state.scalars == (5, 10)
        assert all(type(x) is Fraction for x in state.scalars)


def test_leaf_by_leaf_there_are_diagnostics_and_no_one_direction() -> None:
    per_leaf = surgery.PerLeaf(surgery.Mixed(0.5))
    gradients = [[G, None, None], [A, B, None]]
    state = per_leaf.init([G, B, G])
    found = per_leaf.diagnostics(gradients, state)
    assert found == surgery.Mixed(0.5).diagnostics(gradients, surgery.Mixed(0.5).init([G, B, G]))
    with pytest.raises(ValueError, match="one entry per leaf: required 3, found 2"):
        per_leaf.diagnostics(gradients, state[:2])
    with pytest.raises(NotImplementedError, match="a direction for every leaf"):
        per_leaf.direct(align(g=G), ())
