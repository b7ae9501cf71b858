"""Known mistakes in Bloop, the most common themes first."""

from bloop_proofs.methods.bloop.mistakes import (
    averages,
    complexes,
    epsilons,
    form,
    granularity,
    history,
    memory,
    methods,
    nonfinite,
    order,
    precision,
    projection,
    weights,
    zero,
)
from bloop_proofs.mistakes.mistake import Mistake, mistakes_in

MISTAKES: tuple[Mistake, ...] = mistakes_in(
    order,
    averages,
    projection,
    weights,
    granularity,
    methods,
    zero,
    epsilons,
    memory,
    nonfinite,
    precision,
    complexes,
    form,
    history,
)
"""The catalogue, the most common themes first, and within a theme the most common mistakes."""
