"""Finding the smallest input that tells a mistake from a right step."""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.methods import BLOOP
from bloop_proofs.methods.bloop.definition import VECTORS
from bloop_proofs.methods.bloop.mistakes.probes import scaled
from bloop_proofs.mistakes.evidence import wrong_at
from bloop_proofs.mistakes.looks import Probe, form, history, memory, values
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.quiet import silence

Axis = tuple[tuple[int, Any], ...]
"""The choices for one property of an input, each with how far it is from the simplest."""

SHAPES: Axis = (
    (0, ((1,),)),
    (1, ((2,),)),
    (1, ((1,), (1,))),
    (1, ((),)),
    (2, ((2, 1),)),
    (2, ((0,), (1,))),
    (2, ((), (1,))),
    (2, ((2,), (1,))),
    (3, ((2, 2),)),
    (2, ((101,),)),
)
PATTERNS: Axis = (
    (0, lambda n: np.ones(n)),
    (1, lambda n: np.append(np.ones(n), 0.0)[1:]),
    (1, lambda n: np.append(np.ones(n), -1.0)[1:]),
    (1, lambda n: 2 * np.ones(n)),
    (2, lambda n: np.arange(1.0, n + 1)),
    (1, lambda n: np.ones(n) / 3),
    (3, lambda n: np.zeros(n)),
)
"""All 1; 0 or -1 at the end; all 2; 1, 2, 3, ...; thirds; all 0."""
LAMS: Axis = ((0, 1.0), (1, 2.0), (1, 0.5), (2, 0.0), (3, 1e4))
RHOS: Axis = ((0, 0.5), (1, 0.0), (1, 1.0), (2, 0.25))
DTYPES: Axis = (
    (0, (("float64", "float64"),)),
    (2, (("float32", "float64"),)),
    (2, (("float16", "float32"),)),
    (3, (("complex128", "complex128"),)),
    (2, (("float32", "float32"), ("float64", "float64"))),
)
"""Dtypes of the gradients and of the EMA, which the leaves take in turn."""
SCALES: Axis = (
    (0, (0, VECTORS)),
    (2, (-14, ("ema",))),
    (2, (-24, ("ema",))),
    (3, (7, VECTORS)),
    (3, (70, VECTORS)),
    (3, (-44, ("ema",))),
    (4, (150, VECTORS)),
)
BAD: Axis = (
    (0, None),
    (3, ("g_aux", np.nan)),
    (3, ("g_main", np.nan)),
    (4, ("g_aux", np.inf)),
    (4, ("g_main", np.inf)),
)
AXES = (SHAPES, PATTERNS, PATTERNS, PATTERNS, LAMS, RHOS, DTYPES, SCALES, BAD)
PHASES = {"g_main": 1, "g_aux": 1 + 1j, "ema": 1 + 2j}


def smallest(mistake: Mistake) -> Case:
    """Return the simplest input on which a mistake shows something else than a right step."""
    farthest = sum(max(distance for distance, _ in axis) for axis in AXES)
    with silence():
        for distance in range(farthest + 1):
            for probes in probes_at(distance):
                if any(wrong_at(mistake, probe) for probe in probes[mistake.remembers]):
                    return probes[0][0].case
    raise ValueError(f"no input tells {mistake.name} from a right step")


@cache
def probes_at(distance: int) -> tuple[tuple[tuple[Probe, ...], tuple[Probe, ...]], ...]:
    """Return the looks at all inputs that are so far from the simplest.

    For each input there are those at steps without memory and those at steps with one.
    """
    cases = [build(*choices) for choices in picks(AXES, distance)]
    return tuple(
        (
            tuple(Probe(look, case, BLOOP.right) for look in (values, form, memory)),
            (Probe(history, case, BLOOP.right),),
        )
        for case in cases
    )


def picks(axes: Sequence[Axis], distance: int) -> Iterator[tuple[Any, ...]]:
    """Yield one choice per axis, in all ways whose distances add up to a given one."""
    if not axes:
        if distance == 0:
            yield ()
        return
    for far, choice in axes[0]:
        if far <= distance:
            for others in picks(axes[1:], distance - far):
                yield (choice, *others)


def build(shapes: Any, g: Any, a: Any, e: Any, lam: float, rho: float, *rest: Any) -> Case:
    """Return the input that a choice on every axis gives."""
    dtypes, (exponent, names), bad = rest
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    main, aux, ema = (
        [
            part.reshape(shape)
            for part, shape in zip(np.split(pattern(ends[-1]), ends[:-1]), shapes, strict=True)
        ]
        for pattern in (g, a, e)
    )
    case = Case(g_main=main, g_aux=aux, ema=ema, lam=lam, rho=rho)
    if bad is not None:
        name, value = bad
        case[name][-1][...] = value
    return scaled(_typed(case, dtypes), exponent, names)


def _typed(case: Case, dtypes: Any) -> Case:
    """Return a case whose leaves take given dtypes in turn; complex ones get a phase."""
    kinds = [dtypes[i % len(dtypes)] for i in range(len(case.ema))]

    def typed(name: str) -> Gradient:
        column = 1 if name == "ema" else 0
        complexes = [kind[column].startswith("c") for kind in kinds]
        return [
            np.asarray(leaf * PHASES[name] if is_complex else leaf).astype(kind[column])
            for leaf, kind, is_complex in zip(case[name], kinds, complexes, strict=True)
        ]

    return case.but(**{name: typed(name) for name in VECTORS})
