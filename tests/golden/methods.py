"""The golden vectors of the methods beside Bloop."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from fractions import Fraction
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.gradients import same_bits
from bloop_proofs.quiet import silence
from bloop_proofs.signature import Signature
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm
from bloop_proofs.vectors.formats import FORMATS
from bloop_proofs.vectors.model import MORE, Golden, Table, Tables
from bloop_proofs.vectors.running import arrays
from tests.golden.draw import FLAT, LEAVES, Pen, Shapes
from tests.golden.rounding import nearest

DTYPES = ("float64", "float32")
"""The dtypes in which the laws of these methods speak."""
TELLING = 1 / 6
"""A tolerance beyond this part of the gradients' norms would excuse mistakes.

Only MGDA of more than two gradients and CAGrad, whose laws grant what iterations leave, come near.
"""

Steps = Sequence[Sequence[Table]]
"""The gradients of every step, as rows."""

BY_HAND: Sequence[tuple[str, tuple[int, ...], tuple[int, ...]]] = (
    ("worked", (3, 4), (-5, 0)),
    ("agreeing", (3, 4), (5, 1)),
    ("orthogonal", (3, 4), (-4, 3)),
    ("short-main", (1, 1), (5, 1)),
    ("short-aux", (5, 1), (1, 1)),
    ("parallel", (1, 2), (2, 4)),
    ("opposed", (1, 2), (-2, -4)),
    ("cancelling", (1, 2), (-1, -2)),
    ("zero-main", (0, 0), (1, 2)),
    ("zero-aux", (1, 2), (0, 0)),
    ("both-zero", (0, 0), (0, 0)),
)
SCALED = (("flat", 0, 0), ("unlike-sizes", 0, 10), ("tiny", -20, -20), ("huge", 20, 20))
"""Names, and the powers of two that the main and the auxiliary gradient are multiplied by."""


def _drawn(pen: Pen, signature: Signature) -> Iterator[tuple[str, Shapes, Steps]]:
    for name, main, aux in BY_HAND:
        yield name, pen.flat(2), [[np.array(row, dtype=np.float64) for row in (main, aux)]]
    for name, *powers in SCALED:
        yield name, FLAT, [[pen.row(FLAT, power) for power in powers]]
    yield "leaves", LEAVES, [[pen.row(LEAVES), pen.row(LEAVES)]]
    shapes: Shapes = ((2,), (0,), (), (3, 0))
    yield "empty-leaves", shapes, [[pen.row(shapes), pen.row(shapes)]]
    if signature.stateful:
        yield "trajectory", FLAT, _steps(pen, FLAT, 4, 2)
        yield "trajectory-leaves", LEAVES, _steps(pen, LEAVES, 3, 2)
    if signature.most_losses > 2:
        three = ((2, 1), (-1, 2), (1, -3))
        yield "three-worked", pen.flat(2), [[np.array(row, dtype=np.float64) for row in three]]
        yield "three-losses", FLAT, _steps(pen, FLAT, 1, 3)
    if signature.stateful:
        yield "trajectory-three-losses", FLAT, _steps(pen, FLAT, 3, 3)


def _steps(pen: Pen, shapes: Shapes, steps: int, losses: int) -> Steps:
    return [[pen.row(shapes) for _ in range(losses)] for _ in range(steps)]


def cases(signature: Signature, dtype: str, seed: str) -> Iterator[tuple[str, Golden]]:
    """Yield names and golden vectors of a method, those whose answer every right step gives."""
    pen = Pen(dtype, seed)
    for count, (name, shapes, steps) in enumerate(_drawn(pen, signature)):
        losses = len(steps[0])
        options = {}
        for option, values in signature.choices.items():
            known = values(losses)
            options[option] = known[(count if option != "orders" else -1) % len(known)]
        inputs = {
            **{option: _column(value) for option, value in options.items()},
            "losses": np.array([[float(losses)]]),
            "gradients": np.array([row for step in steps for row in step]),
        }
        id_ = f"{signature.name.replace('_', '-')}-{name}-{dtype}"
        head = (id_, signature.name + MORE * (losses > 2), signature.name, dtype, shapes, inputs)
        bare = Golden(*head, {}, {})
        answered = _answered(signature, bare, steps, options)
        if answered:
            yield name, Golden(*head, *answered)


def _column(value: Any) -> Table:
    """Return a number, or the orders in which gradients meet, as a column."""
    return np.array(value, dtype=np.float64).reshape(-1, 1)


def _answered(
    signature: Signature, bare: Golden, steps: Steps, options: dict[str, Any]
) -> tuple[Tables, Tables] | None:
    """Return the directions and their tolerances; ``None`` where right steps may differ."""
    u = FORMATS[bare.dtype].roundoff
    vectors = [[arrays(row, bare, bare.dtype) for row in step] for step in steps]
    rows, bounds = [], []
    for last in range(1, len(steps) + 1):
        case = Case(**signature.packed(vectors[:last]), **options)
        before = deepcopy(case.gradients)
        if not all(map(same_bits, signature.prepared(case).gradients, before)):
            return None
        with silence():
            ((known, room),) = [x["direction"] for x in signature.answers(signature, case, None)]
        # the golden direction is itself rounded once
        rows.append([nearest(Fraction(x), bare.dtype) for x in known.tolist()])
        bounds.append([room + u * norm(known)])
        size = sum(norm(flat(gradient)) for gradient in case.gradients)
        if not bounds[-1][0] <= max(TELLING * size, 2 * room if size == 0 else 0.0):
            return None
    return {"direction": np.array(rows)}, {"direction": np.array(bounds)}
