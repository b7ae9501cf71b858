"""The truths that MGDA and CAGrad are judged by, and that they are not the code under judgement."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

from bloop_proofs import METHODS, Case, check_implementation
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.law import LawViolation
from bloop_proofs.subject import Subject
from bloop_proofs.tolerances import rounding, underflow_bound
from bloop_proofs.truths.hulls import (
    conflict_averse_weights,
    least_norm_weights,
    length_pulled_along,
)
from bloop_ref import surgery
from tests.proofs.methods import in_the_reference

GENERATOR = np.random.default_rng(5)
DRAWN = [
    GENERATOR.integers(-8, 9, (losses, n)) / 4
    for losses in (1, 2, 3, 4)
    for n in (1, 2, 3, 6)
    for _ in range(2)
]
SPECIAL = [
    np.array(rows, dtype=float)
    for rows in (
        [[1, 2], [1, 2]],
        [[1, 2], [-2, -4]],
        [[0, 0], [1, 1]],
        [[0, 0], [0, 0]],
        [[1, 0], [0, 1], [-1, -1]],
        [[1, 0], [-1, 0], [0, 1]],
        [[1, 1], [2, 2], [3, 3]],
    )
]

each_drawing = pytest.mark.parametrize("gradients", [*DRAWN, *SPECIAL], ids=str)


@each_drawing
def test_point_of_least_norm_satisfies_the_conditions_of_karush_kuhn_and_tucker(gradients):
    weights = least_norm_weights(gradients)
    room = rounding(float(np.sum(gradients**2)), gradients.size)
    assert weights.min() >= 0
    assert abs(weights.sum() - 1) <= rounding(1, len(weights))
    d = weights @ gradients
    assert np.all(gradients @ d >= d @ d - room)


@each_drawing
def test_point_of_least_norm_is_scipys(gradients):
    scale = float(np.abs(gradients).max()) or 1.0
    matrix = np.vstack([gradients.T, np.full(len(gradients), scale)])
    found, _ = nnls(matrix, np.append(np.zeros(gradients.shape[1]), scale))
    required = found @ gradients / found.sum()
    size = float(np.linalg.norm(gradients))
    # a square that errs by a rounding has a root that errs by the root of one
    room = size * np.sqrt(rounding(1, gradients.size))
    assert np.linalg.norm(least_norm_weights(gradients) @ gradients - required) <= room


@each_drawing
@pytest.mark.parametrize("c", [0.25, 0.5, 0.9])
def test_conflict_averse_direction_attains_the_bound_of_its_own_weights(gradients, c):
    pulls = conflict_averse_weights(gradients, c)
    mean = gradients.mean(axis=0)
    radius = c * float(np.linalg.norm(mean))
    d = mean + pulls @ gradients
    worst = float(np.min(gradients @ d))
    size = float(np.linalg.norm(gradients))
    room = rounding(size * (size + radius), gradients.size)
    assert pulls.min() >= 0
    if pulls.any():
        weights = pulls / pulls.sum()
        pull = length_pulled_along(gradients, pulls)
        # any weights bound what any direction of the ball can do for the worst-off loss
        dual = float(weights @ gradients @ mean) + radius * pull
        assert abs(np.linalg.norm(d - mean) - radius) <= rounding(size + radius, gradients.size)
        assert abs(worst - dual) <= room
    else:
        assert d.tolist() == mean.tolist()
        # g_w = 0: all weights of a point 0 of the hull, of which the dual bound is 0
        assert radius == 0 or abs(worst) <= room


@each_drawing
def test_gradients_that_are_not_finite_give_no_weights(gradients):
    spoiled = gradients.copy()
    spoiled[0, 0] = np.inf
    assert np.isnan(least_norm_weights(spoiled)).all()
    assert np.isnan(conflict_averse_weights(spoiled, 0.5)).all()


def test_nothing_is_rounded_on_the_way():
    little = 2.0**-200
    weights = least_norm_weights(np.array([[1.0, little], [-1.0, little]]))
    assert weights.tolist() == [0.5, 0.5]
    exact = Fraction(1) / (1 + Fraction(little))
    assert least_norm_weights(np.array([[1.0], [-1.0 - little]]))[1] == float(1 - exact / 2)


@pytest.mark.parametrize("name", ["mgda", "cagrad"])
@pytest.mark.parametrize("losses", [2, 3])
def test_a_reference_that_is_wrong_is_accused(name, losses, monkeypatch):
    """The judge of a method must not be the code that it judges."""
    law = "direction-of-more-gradients-is-as-defined" if losses > 2 else "direction-is-as-defined"

    def averaged(self: Any, gram: Any, scalars: Any, **given: Any) -> Any:
        return (1.5 / gram.size,) * gram.size, scalars

    cls = {"mgda": surgery.MGDA, "cagrad": surgery.CAGrad}[name]
    step = in_the_reference.step_of(METHODS[name].signature)
    assert check_implementation(step, method=name, laws=[law], examples=5).passed
    monkeypatch.setattr(cls, "weights", averaged)
    assert not check_implementation(step, method=name, laws=[law], examples=5).passed
    plain = METHODS[name].right.step
    assert check_implementation(plain, method=name, laws=[law], examples=5).passed


class TestDistanceOfCAGrad:
    """What an iterative solver of the published problem, in d, may leave of the distance."""

    CASE = Case(gradients=[[np.array([3.0, 4.0])], [np.array([-5.0, 1.0])]], c=0.5)
    LAW = next(law for law in METHODS["cagrad"].laws if law.name.startswith("distance"))

    def subject(self, part):
        def step(gradients, *, c):
            g = np.array([leaves[0] for leaves in gradients])
            return [g.mean(axis=0) + part * conflict_averse_weights(g, c) @ g]

        return Subject(step, FRAMEWORKS["numpy"], METHODS["cagrad"].signature)

    @pytest.mark.parametrize("part", [1 - 2.0**-20, 1.0, 1 + 2.0**-20])
    def test_a_solvers_accuracy_is_granted(self, part):
        self.LAW.check(self.subject(part), self.CASE)

    @pytest.mark.parametrize("part", [0.0, 0.5, 0.875, 1.125])
    def test_another_radius_is_not(self, part):
        with pytest.raises(LawViolation, match=r"c \|\|g_0\|\| must be 0 within"):
            self.LAW.check(self.subject(part), self.CASE)


def test_orders_of_grad_vac_may_be_drawn_anew_in_every_step():
    """Each step takes orders of its own, with which the targets of the next ones move."""

    def step(gradients, state, *, beta):
        method = surgery.GradVac(beta, seed=3)
        state = method.init(gradients[0], losses=len(gradients)) if state is None else state
        return method.step(gradients, state)

    law = "direction-of-more-gradients-is-as-defined"
    report = check_implementation(step, method="grad_vac", laws=[law], examples=30)
    assert report.passed, str(report)


def test_underflow_is_granted_per_entry():
    one: list[np.ndarray] = [np.zeros(4, np.float32), np.zeros((), np.float64)]
    assert underflow_bound(one) == 2 * 2.0**-126
    wide: list[np.ndarray] = [np.zeros(4, np.float64), np.zeros((), np.float16)]
    assert underflow_bound(wide, one) >= 2.0**-14
    assert underflow_bound([np.zeros(0)]) == 0
    assert underflow_bound([np.zeros(2, np.complex64)]) == 2 * 2.0**-126
