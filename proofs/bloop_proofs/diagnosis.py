"""Naming the known mistakes that a subject makes."""

from bloop_proofs.methods import METHODS
from bloop_proofs.mistakes.diagnosis import Explanation, explanations
from bloop_proofs.report import Diagnosis, Named
from bloop_proofs.subject import Subject


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
        >>> subject = Subject(adds_the_norm, FRAMEWORKS["numpy"], METHODS["bloop"].signature)
        >>> diagnose(subject, seed=0)[0].mend
        'Divide by the squared norm, ||ema||^2.'
    """
    method, framework = METHODS[subject.method.name], subject.framework
    dtypes, mutable = framework.dtypes(), not framework.immutable
    probes = method.probes(method.right, subject.takes, dtypes, mutable, seed)
    if subject.domain:
        probes = probes.within(subject)
    found = explanations(subject, method.mistakes, probes)
    return tuple(map(said, found))


def said(found: Explanation) -> Diagnosis:
    """Return an explanation in words."""
    first, *more = (Named(m.name, m.where, m.mend) for m in found.mistakes)
    return Diagnosis(*first, found.share, found.proved, tuple(more))
