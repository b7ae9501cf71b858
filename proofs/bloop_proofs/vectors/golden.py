"""The golden vectors themselves."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from bloop_proofs.vectors import draw, spans, steps
from bloop_proofs.vectors.answers import answer
from bloop_proofs.vectors.formats import FORMATS
from bloop_proofs.vectors.model import Golden

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
def golden(seed: int = SEED) -> tuple[Golden, ...]:
    """Return the golden vectors of all dtypes and groups.

    Inputs are drawn from the seed; outputs are the equations' on exact fractions, each
    number rounded once to its dtype.

    Example:
        >>> first = golden()[0]
        >>> first.id, first.outputs["direction"].tolist()
        ('steps-worked-float64', [[2.5, 3.0]])
    """
    return tuple(
        Golden(
            f"{group}-{name}-{dtype}",
            group,
            kind,
            dtype,
            shapes,
            inputs,
            *answer(kind, dtype, inputs),
        )
        for dtype in FORMATS
        for group, (kind, inputs_of) in _DRAWN.items()
        for name, shapes, inputs in inputs_of(draw.Pen(dtype, f"{seed} {group}"))
    )
