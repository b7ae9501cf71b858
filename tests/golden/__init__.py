"""How the golden vectors are made that ``bloop_proofs.vectors`` ships: ``python -m tests.golden``.

Inputs are drawn from a seed. Bloop's outputs are the equations' on exact fractions, each number
rounded once; those of the methods beside it come with the bounds of the laws.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from bloop_proofs.methods import METHODS
from bloop_proofs.vectors.formats import FORMATS
from bloop_proofs.vectors.model import METHOD_KINDS, Golden
from tests.golden import draw, methods, spans, steps
from tests.golden.answers import answer
from tests.golden.notes import comment, flags

SEED = 0
"""The seed of the golden vectors that everybody has."""

_DRAWN: Mapping[str, tuple[str, Callable[[draw.Pen], Iterator[draw.Drawn]]]] = MappingProxyType(
    {
        "steps": ("step", steps.steps),
        "trajectories": ("trajectory", draw.trajectories),
        "hierarchies": ("hierarchy", spans.hierarchies),
        "projections": ("projection", spans.projections),
        "scales": ("step", steps.scales),
        "extremes": ("step", steps.extremes),
    }
)
"""For every group the kind of its vectors, and where their inputs come from."""


@lru_cache(maxsize=4)
def bloop(seed: int = SEED) -> tuple[Golden, ...]:
    """Return Bloop's golden vectors, of all dtypes and groups."""
    return tuple(
        _noted(
            Golden(
                f"{group}-{name}-{dtype}",
                group,
                kind,
                dtype,
                shapes,
                inputs,
                *answer(kind, dtype, inputs),
            ),
            name,
        )
        for dtype in FORMATS
        for group, (kind, inputs_of) in _DRAWN.items()
        for name, shapes, inputs in inputs_of(draw.Pen(dtype, f"{seed} {group}"))
    )


@lru_cache(maxsize=4)
def beside(seed: int = SEED) -> tuple[Golden, ...]:
    """Return the golden vectors of the methods beside Bloop."""
    return tuple(
        _noted(case, name)
        for method in METHOD_KINDS
        for dtype in methods.DTYPES
        for name, case in methods.cases(METHODS[method].signature, dtype, f"{seed} {method}")
    )


def _noted(case: Golden, name: str) -> Golden:
    return replace(case, comment=comment(case, name), flags=flags(case))
