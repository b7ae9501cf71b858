"""Gradients whose averages are exact, and what the reference makes of them.

Entries are small integers, and the weights of averages are 1/2 and 1/4: for a few steps every
average is a float32 number, the same in every implementation, and directions can be compared with
the reference's one by one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bloop_proofs.subject import flat
from bloop_ref import Bloop
from bloop_ref.surgery import MGDA, HierarchicalBloop, MetaBalance, Method, PCGrad
from tests.benchmarks.workloads import resnet50_shapes
from tests.tolerances import (
    direction_bound,
    hierarchy_gram_bound,
    norm,
    segment_bound,
    surgery_factor,
)

LAM, RHO = 0.5, 0.25
SHAPES = [tuple(min(n, 4) for n in shape) for shape in resnet50_shapes()]
"""161 leaves, as those of a ResNet-50, but small."""

U = 2.0**-24
Leaves = list[np.ndarray]


def draw(seed: int, shapes: Sequence[tuple[int, ...]] = SHAPES) -> Leaves:
    """Return float32 leaves of small integers."""
    generator = np.random.default_rng(seed)
    return [generator.integers(-8, 9, shape).astype(np.float32) for shape in shapes]


@dataclass(frozen=True)
class Case:
    """A method for so many losses, with the bound on the error of its direction.

    ``bound(n, gradients, memory)`` is for float32 gradients of n entries.
    """

    method: Method
    losses: int
    bound: Callable[[int, Sequence[Leaves], Sequence[Leaves]], float]

    def check(self, found: Leaves, required: Leaves, gradients: Any, memory: Any) -> None:
        """Require a direction to be the reference's; each of the two may err by the bound."""
        x, y = flat(found), flat(required)
        assert norm(x - y) <= 2 * self.bound(x.size, gradients, memory)


def sizes(vectors: Sequence[Leaves]) -> list[float]:
    """Return norms."""
    return [norm(flat(vector)) for vector in vectors]


def _bloop_bound(n: int, gradients: Sequence[Leaves], memory: Any) -> float:
    main, aux = sizes(gradients)
    return direction_bound(U, n, main, aux, LAM)


def _quotient_bound(n: int, gradients: Sequence[Leaves], memory: Any) -> float:
    return surgery_factor() * U * (n + 1) * sum(sizes(gradients))  # inner products err by n U


def _segment_bound(n: int, gradients: Sequence[Leaves], memory: Any) -> float:
    main, aux = (flat(gradient) for gradient in gradients)
    return segment_bound((n + 1) * U, norm(main), norm(aux), norm(main - aux))


def _hierarchy_bound(n: int, gradients: Sequence[Leaves], memory: Sequence[Leaves]) -> float:
    averages = np.stack([flat(average) for average in memory])
    lengths = np.linalg.norm(averages, axis=1)
    condition = 1.0
    if lengths.all():
        units = averages / lengths[:, None]
        condition = float(np.linalg.cond(units @ units.T))
    return hierarchy_gram_bound(U, n, sizes(gradients), condition)


CASES = {
    "Bloop": Case(Bloop(LAM, RHO), 2, _bloop_bound),
    "PCGrad": Case(PCGrad(lam=LAM), 2, _quotient_bound),
    "MGDA": Case(MGDA(), 2, _segment_bound),
    "MetaBalance": Case(MetaBalance(), 2, _quotient_bound),
    "hierarchy": Case(HierarchicalBloop([0.5, 0.25], RHO), 3, _hierarchy_bound),
}
STEPS = 3


def run_of(case: Case, shapes: Any = SHAPES) -> list[tuple[Any, Any, Any, Any]]:
    """Return (gradients, memory before, direction, memory after) of some steps of the reference."""
    state = case.method.init(draw(0, shapes), case.losses)
    steps = []
    for t in range(STEPS):
        gradients = [draw(case.losses * t + k, shapes) for k in range(case.losses)]
        direction, after = case.method.step(gradients, state)
        steps.append((gradients, state.memory, direction, after.memory))
        state = after
    return steps
