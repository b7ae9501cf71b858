"""Known mistakes: wrong implementations that people have written, each with its mend."""

from bloop_proofs.mistakes import (
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
from bloop_proofs.mistakes.diagnosis import explanations
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.mistakes.probes import probes_for
from bloop_proofs.report import Diagnosis
from bloop_proofs.subject import Subject

__all__ = ["CATALOGUE", "Mistake", "diagnose"]

CATALOGUE: tuple[Mistake, ...] = tuple(
    entry
    for module in (
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
    for entry in vars(module).values()
    if isinstance(entry, Mistake)
)
"""The catalogue, the most common themes first, and within a theme the most common mistakes."""


def diagnose(subject: Subject, *, seed: int) -> tuple[Diagnosis, ...]:
    """Return the known mistakes that reproduce what a subject returns, the most likely first.

    Example:
        >>> import numpy as np
        >>> from bloop_proofs.frameworks import FRAMEWORKS
        >>> def adds_the_norm(g_main, g_aux, ema, *, lam, rho):
        ...     ae = sum(np.sum(a * e) for a, e in zip(g_aux, ema))
        ...     c = ae / np.sqrt(sum(np.sum(e * e) for e in ema))
        ...     direction = [g + lam * (a - c * e) for g, a, e in zip(g_main, g_aux, ema)]
        ...     return direction, [(1 - rho) * e + rho * g for g, e in zip(g_main, ema)]
        >>> diagnose(Subject(adds_the_norm, FRAMEWORKS["numpy"]), seed=0)[0].mend
        'Divide by the squared norm, ||ema||^2.'
    """
    framework = subject.framework
    probes = probes_for(framework.dtypes(), not framework.immutable, seed)
    found = explanations(subject, CATALOGUE, probes)
    return tuple(Diagnosis(mistake.name, mistake.where, mistake.mend) for mistake in found)
