"""Judging a step between, ``Bloop(every=m)``: an extension of this project, none of the paper's."""

from collections.abc import Iterable
from itertools import cycle

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.frameworks import framework_named
from bloop_proofs.laws.between import BETWEEN_LAWS
from bloop_proofs.laws.measure import direction_tolerance
from bloop_proofs.mistakes.between import BETWEEN_MISTAKES, right
from bloop_proofs.mistakes.pieces import Pair
from bloop_proofs.report import Diagnosis, Report
from bloop_proofs.runner import ORDINARY, checked_laws, judged
from bloop_proofs.subject import Step, StepRaised, Subject, flat
from bloop_proofs.tolerances import norm

__all__ = ["BETWEEN_LAWS", "BETWEEN_MISTAKES", "check_step_between", "right"]


def check_step_between(
    step: Step,
    *,
    framework: str = "numpy",
    laws: str | Iterable[str] = "all",
    examples: int = 100,
    seed: int = 0,
) -> Report:
    """Judge a step between by every law of it, and name the mistake.

    Args:
        step: ``step(x, held, ema, *, lam, rho) -> (direction, new_ema)``: x the gradient of
            L_main + lam L_aux, ``held`` the remembered auxiliary gradient; lists of arrays all.
        framework: as in ``check_implementation``, and so are the next three.
        laws: names among ``BETWEEN_LAWS``.
        examples: how many inputs a law is tried on.
        seed: where the drawing starts.

    Returns:
        A ``Report``; its ``passed`` is the verdict.

    Raises:
        ProtocolError, ValueError, TypeError: as in ``check_implementation``.

    Example:
        >>> from bloop_proofs.mistakes.between import BETWEEN_MISTAKES
        >>> report = check_step_between(BETWEEN_MISTAKES[0].step, examples=3)
        >>> report.passed, report.diagnosis[0].name
        (False, 'projects-the-mixed-gradient')

    Source: docs/specification.md, the section on steps between.
    """
    chosen = checked_laws(step, framework, laws, examples, {}, BETWEEN_LAWS)
    subject = Subject(step, framework_named(framework))
    return judged(
        subject,
        chosen,
        examples=examples,
        seed=seed,
        expected={},
        progress=None,
        probe=lambda: subject.of(ORDINARY),
        diagnose=lambda: _diagnosed(subject, seed),
        method="step between",
    )


def _probes(seed: int) -> list[Case]:
    """Return ordinary inputs: of two leaves, with different weights."""
    drawn = np.random.default_rng(seed).normal(size=(4, 3, 5)).astype(np.float32)
    weights = cycle(((0.5, 0.25), (2.0, 0.1)))
    return [
        Case(**dict(zip(("g_main", "g_aux", "ema"), _cut(row), strict=True)), lam=lam, rho=rho)
        for row, (lam, rho) in zip(drawn, weights, strict=False)
    ]


def _cut(row: np.ndarray) -> list[list[np.ndarray]]:
    return [[vector[:2], vector[2:]] for vector in row]


def _diagnosed(subject: Subject, seed: int) -> tuple[Diagnosis, ...]:
    """Return the mistakes that return what the subject does on all probes."""
    return tuple(
        Diagnosis(mistake.name, mistake.where, mistake.mend)
        for mistake in BETWEEN_MISTAKES
        if all(_alike(subject, mistake.step, case) for case in _probes(seed))
    )


def _alike(subject: Subject, step: Step, case: Case) -> bool:
    known: Pair = step(case.g_main, case.g_aux, case.ema, lam=case.lam, rho=case.rho)
    try:
        found = subject.of(case)
    except StepRaised:
        return False
    pairs = zip((found.direction, found.new_ema), known, strict=True)
    return all(norm(flat(x) - flat(y)) <= 2 * direction_tolerance(case) for x, y in pairs)
