"""Finding the smallest input that tells a mistake of a method from a right step."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.gradients import unflatten
from bloop_proofs.methods import METHODS
from bloop_proofs.mistakes.evidence import wrong_at
from bloop_proofs.mistakes.looks import Look, Probe, form, history, memory, values
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.quiet import silence
from bloop_proofs.signature import Signature
from tests.proofs import witness_bloop
from tests.proofs.witness_bloop import Axis, picks

SHAPES: Axis = ((0, ((1,),)), (1, ((2,),)), (1, ((1,), (1,))), (2, ((2, 1),)))
PATTERNS: Axis = (
    (0, (1.0, 1.0)),
    (1, (1.0, 0.0)),
    (1, (-1.0, 1.0)),
    (1, (2.0, 0.0)),
    (1, (-1.0, 0.0)),
    (2, (0.0, 1.0)),
    (2, (-2.0, 1.0)),
    (2, (1.0, 2.0)),
    (2, (0.0, 0.0)),
    (3, (64.0, 1.0)),
)
EARLIER: Axis = (
    (0, "none"),
    (1, "the same"),
    (1, "main twice"),
    (2, "opposed"),
    (2, "exchanged"),
    (2, "unlike"),
)
FURTHER: Axis = ((0, None), (3, (1.0, 0.0)), (3, (-1.0, 0.5)), (4, (-1.0, -3.0)))
EXPONENTS: Axis = ((0, 0), (2, -14), (3, -20))
DTYPES: Axis = ((0, "float64"), (2, "float32"))
BAD: Axis = ((0, False), (3, True))
FARTHEST = 10
"""How far from the simplest inputs are looked for."""


@cache
def smallest(mistake: Mistake) -> Case:
    """Return the simplest input on which a mistake shows something else than a right step."""
    if mistake.method.vectors:
        return witness_bloop.smallest(mistake)
    looks: tuple[Look, ...] = (values,)
    if mistake.group == "numerics":
        looks = (history,) if mistake.remembers else (values, form, memory)
    with silence():
        for distance in range(FARTHEST):
            for probes in probes_at(mistake.method, distance, looks):
                if any(wrong_at(mistake, probe) for probe in probes):
                    return probes[0].case
    raise ValueError(f"no input tells {mistake.name} from a right step")


@cache
def probes_at(
    method: Signature, distance: int, looks: tuple[Any, ...]
) -> tuple[tuple[Probe, ...], ...]:
    """Return the looks at all inputs of a method that are so far from the simplest."""
    cases = (case for chosen in _choices(method, distance) for case in build(method, *chosen))
    return tuple(
        tuple(Probe(look, case, METHODS[method.name].right) for look in looks) for case in cases
    )


def _choices(method: Signature, distance: int) -> Iterator[tuple[Any, ...]]:
    earlier = EARLIER if method.stateful else EARLIER[:1]
    further = FURTHER if method.most_losses > 2 else FURTHER[:1]
    axes = (SHAPES, PATTERNS, PATTERNS, earlier, further, EXPONENTS, DTYPES, BAD, _options(method))
    return picks(axes, distance)


def _options(method: Signature) -> Axis:
    """Return the values of the options, the first ones simplest, others one option at a time."""
    known = method.choices
    first = dict.fromkeys(known, 0)
    others = (
        (2, {**first, name: place})
        for name, values in known.items()
        for place in range(1, min(4, len(values(2))))
    )
    return ((0, first), *others)


def build(method: Signature, shapes: Any, main: Any, aux: Any, *rest: Any) -> Iterator[Case]:
    """Yield the inputs that a choice on every axis gives: one, or one per order of three."""
    earlier, further, exponent, dtype, bad, places = rest
    like = [np.zeros(shape, dtype) for shape in shapes]
    size = sum(leaf.size for leaf in like)
    entries = [main, aux] + ([further] if further else [])
    scale = 2.0**exponent
    gradients = [unflatten(scale * np.array(pattern[:size]), like) for pattern in entries]
    if bad:
        gradients[-1][-1].ravel()[:] = np.nan
    steps = {
        "none": [],
        "the same": [gradients],
        "main twice": [[gradients[0]] * len(gradients)],
        "opposed": [[gradients[0], *([[-x for x in gradients[0]]] * (len(gradients) - 1))]],
        "exchanged": [gradients[::-1]],
        "unlike": [[gradients[0], *([64 * x for x in g] for g in gradients[1:])]],
    }[earlier]
    losses = len(gradients)
    known = method.choices
    fixed = {n: values(losses)[places[n]] for n, values in known.items() if n != "orders"}
    past = {"earlier": steps} if method.stateful else {}
    for orders in known["orders"](losses) if "orders" in known else [None]:
        ordered = {"orders": orders} if "orders" in known else {}
        yield Case(**past, gradients=gradients, **ordered, **fixed)
