"""Every method, gradients whose sums are exact, and how far float32 directions may be apart.

Entries are small integers and weights of averages 1/2 or 1/4: for a few steps averages and inner
products are float32 numbers, the same in every implementation. What is left is the rounding of a
combination.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm, row_rounding
from bloop_ref import Bloop, HierarchicalBloop
from bloop_ref.arrays import quiet
from bloop_ref.driver import as_read
from bloop_ref.linear import gramian
from bloop_ref.surgery import (
    MGDA,
    AGem,
    CAGrad,
    CosineGate,
    DynamicBarrier,
    GradVac,
    GramMethod,
    MetaBalance,
    Mixed,
    PCGrad,
    PerLeaf,
    SamGS,
)

U = 2.0**-24
SHAPES: Sequence[tuple[int, ...]] = ((5, 4), (3,), ())


class Case(NamedTuple):
    method: Any
    losses: int = 2
    given: dict[str, float] = {}  # noqa: RUF012


def halved(count: Any) -> Any:
    """Return 1, 1/2, 1/4, ...: a schedule."""
    return 0.5**count


CASES = {
    "Mixed": Case(Mixed(lam=0.5)),
    "Mixed of three": Case(Mixed(lam=[halved, 2], rescale=True), 3),
    "AGem": Case(AGem()),
    "CosineGate": Case(CosineGate()),
    "CosineGate of three": Case(CosineGate(weighted=False), 3),
    "DynamicBarrier": Case(DynamicBarrier(lam=0.5)),
    "DynamicBarrier with a level": Case(DynamicBarrier(level=0.5), 2, {"main_loss": 2.0}),
    "PCGrad": Case(PCGrad(lam=0.5)),
    "PCGrad of three": Case(PCGrad(seed=1), 3),
    "GradVac": Case(GradVac(beta=0.5)),
    "GradVac of three": Case(GradVac(beta=halved, target=0.5, seed=1), 3),
    "GradVac, one-sided": Case(GradVac(beta=0.5, two_sided=False)),
    "MetaBalance": Case(MetaBalance(relaxation=0.5, beta=0.5)),
    "MetaBalance of three": Case(MetaBalance(), 3),
    "MGDA": Case(MGDA()),
    "MGDA of three": Case(MGDA(), 3),
    "CAGrad": Case(CAGrad(c=0.5)),
    "CAGrad of three": Case(CAGrad(c=lambda count: 0.5**count / 2), 3),
    "SamGS": Case(SamGS(beta1=0.5)),
    "SamGS, equalised": Case(SamGS(gamma=2, beta1=0.5), 3),
    "PerLeaf": Case(PerLeaf(MetaBalance())),
    "PerLeaf of three": Case(PerLeaf(MGDA()), 3),
    "PerLeaf with a level": Case(PerLeaf(DynamicBarrier(level=0.5)), 2, {"main_loss": 2.0}),
} | {
    f"{name}, {on}, {init}": Case(method(project_on=on, init=init, rescale=on == "updated"), losses)
    for on in ("previous", "updated")
    for init in ("zeros", "first")
    for name, method, losses in (
        ("Bloop", lambda **options: Bloop(halved, 0.25, **options), 2),
        (
            "hierarchy",
            lambda **options: HierarchicalBloop([0.5, halved], [0.5, 0.25], **options),
            3,
        ),
    )
}


def integers(seed: int, shapes: Any = SHAPES) -> list[np.ndarray]:
    """Return float32 leaves of small integers."""
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.integers(-8, 9, shape), np.float32) for shape in shapes]


def batches(case: Case, count: int = 3, shapes: Any = SHAPES) -> list[list[Any]]:
    """Return the gradients of some steps."""
    return [[integers(10 * t + k, shapes) for k in range(case.losses)] for t in range(count)]


@quiet
def rounding_of(method: Any, gradients: Sequence[Any], state: Any, direction: Any) -> float:
    """Return how far two directions of one Gramian may lie apart, each computed in float32."""
    if isinstance(method, PerLeaf):
        rows = zip(*gradients, strict=True)
        parts = zip(rows, state, direction, strict=True)
        return sum(rounding_of(method.method, row, old, d) for row, old, d in parts)
    losses = len(gradients)
    if not isinstance(method, GramMethod):
        return 2 * row_rounding(U, losses, norm(flat(direction)))
    stack = as_read(method, method.aligned(gradients, state), state)
    here = method.at(state.count, lambda name, value, most: value)
    gram = gramian(stack, here.pairs(losses))
    given = {"main_loss": 2.0} if getattr(method, "level", None) is not None else {}
    (row, *_), _ = here.matrix(gram, state.scalars, **given)
    vectors: Any = stack.leaves
    arrays = [flat(list(leaves)) for leaves in vectors]
    size = sum((1 + abs(float(c))) * norm(x) for c, x in zip(row, arrays, strict=True))
    return 2 * row_rounding(U, len(arrays), size)
