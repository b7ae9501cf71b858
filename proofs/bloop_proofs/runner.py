"""Trying every law on a subject, and recording what happened."""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import hypothesis
import numpy as np
from hypothesis.errors import Flaky

from bloop_proofs.cases import Case
from bloop_proofs.frameworks import Framework, framework_named
from bloop_proofs.law import Failure, Law, LawViolation
from bloop_proofs.laws import LAWS, laws_named
from bloop_proofs.mistakes import diagnose
from bloop_proofs.quiet import SETTINGS, apart, silence
from bloop_proofs.report import Diagnosis, Report, Result, Status
from bloop_proofs.source import Source, source_of
from bloop_proofs.subject import LeafError, ProtocolError, Step, StepRaised, Subject


class Judged(Protocol):
    """What the runner needs of a subject; its laws need more."""

    @property
    def step(self) -> Step:
        """The implementation."""

    @property
    def framework(self) -> Framework:
        """The framework whose arrays it takes."""


ORDINARY = Case(
    g_main=[np.array([3.0, 4.0], np.float32), np.array([[1.0]], np.float32)],
    g_aux=[np.array([-5.0, 1.0], np.float32), np.array([[2.0]], np.float32)],
    ema=[np.array([1.0, 2.0], np.float32), np.array([[-1.0]], np.float32)],
    lam=0.5,
    rho=0.25,
)
"""An input that nothing is special about: whoever cannot answer it in form cannot be judged."""


def check_implementation(
    step: Step,
    *,
    framework: str = "numpy",
    laws: str | Iterable[str] = "all",
    examples: int = 100,
    seed: int = 0,
    expected_failures: Mapping[str, str] | None = None,
    progress: Callable[[Result], None] | None = None,
) -> Report:
    """Judge an implementation of Bloop, in any framework, by every law of the suite.

    Args:
        step: ``step(g_main, g_aux, ema, *, lam, rho) -> (direction, new_ema)``, every gradient a
            list of the framework's arrays, one per parameter; the direction has g_main's dtypes,
            the new EMA has ema's. Other forms: see ``bloop_proofs.adapters``.
        framework: ``"numpy"``, ``"torch"``, ``"jax"`` or ``"cupy"``.
        laws: ``"all"``, ``"paper"``, ``"numerics"``, or names of laws.
        examples: how many inputs an ordinary law is tried on; costly laws are tried on fewer.
        seed: where the drawing of inputs starts; the same seed draws the same inputs.
        expected_failures: reasons by the names of laws that are known to fail. One that holds all
            the same is ``xpassed``, which fails the report: the entry has expired.
        progress: called with each result as it comes.

    Returns:
        A ``Report``; its ``passed`` is the verdict.

    Raises:
        ProtocolError: the step returns something else than the protocol's pair.
        ValueError: an argument is none of those above, or the framework is not installed.
        TypeError: the step cannot be called.

    Example:
        >>> def forgets_the_projection(g_main, g_aux, ema, *, lam, rho):
        ...     direction = [g + lam * a for g, a in zip(g_main, g_aux)]
        ...     return direction, [(1 - rho) * e + rho * g for g, e in zip(g_main, ema)]
        >>> report = check_implementation(forgets_the_projection, laws=["direction-is-equation-5"])
        >>> report.passed, report.results[0].status
        (False, 'failed')
    """
    expected = expected_failures or {}
    chosen = checked_laws(step, framework, laws, examples, expected)
    subject = Subject(step, framework_named(framework))
    return judged(
        subject,
        chosen,
        examples=examples,
        seed=seed,
        expected=expected,
        progress=progress,
        probe=lambda: subject.of(ORDINARY),
        diagnose=lambda: diagnose(subject, seed=seed),
    )


def judged(
    subject: Judged,
    laws: Iterable[Law],
    *,
    examples: int,
    seed: int,
    expected: Mapping[str, str],
    progress: Callable[[Result], None] | None,
    probe: Callable[[], Any],
    diagnose: Callable[[], tuple[Diagnosis, ...]],
    method: str = "bloop",
) -> Report:
    """Return the verdict on a subject of Bloop or of another method, by the laws given.

    ``probe`` raises ``ProtocolError`` for a subject that does not answer in form; ``diagnose``
    names the mistakes of one that breaks a law.
    """
    source = source_of(subject.step)
    with silence():
        # what else is wrong breaks laws, each of which will say so
        with contextlib.suppress(StepRaised, LeafError):
            probe()
        results = []
        for law in laws:
            why = expected.get(law.name)
            result = _judge(law, subject, source, examples, seed, why, method)
            results.append(result)
            if progress:
                progress(result)
        failed = any(result.status in ("failed", "xfailed") for result in results)
        diagnosis = diagnose() if failed else ()
    name = subject.framework.name
    return Report(source.name, name, seed, examples, tuple(results), diagnosis, method)


def checked_laws(
    step: Step,
    framework: str,
    laws: str | Iterable[str],
    examples: Any,
    expected_failures: Mapping[str, str],
    catalogue: Sequence[Law] = LAWS,
) -> tuple[Law, ...]:
    """Return the laws to try; raise where an argument of ``check_implementation`` is wrong."""
    if not callable(step):
        raise TypeError(f"step must be callable; found {type(step).__name__}")
    framework_named(framework)
    if not isinstance(examples, int) or examples < 1:
        raise ValueError(f"examples must be a whole number, at least 1; found {examples!r}")
    known = {law.name for law in catalogue}
    for name, reason in expected_failures.items():
        if name not in known:
            raise ValueError(f"expected_failures must name laws; found {name!r}, which is none")
        if not reason.strip():
            raise ValueError(f"expected_failures must give a reason for {name!r}; found none")
    return laws_named(laws, catalogue)


def _judge(
    law: Law,
    subject: Judged,
    source: Source,
    examples: int,
    seed: int,
    expected: str | None,
    method: str,
) -> Result:
    """Try one law and say what came of it."""
    started = time.perf_counter()
    tried, failure = try_law(law, subject, examples=max(1, examples // law.cost), seed=seed)
    status: Status = "passed" if expected is None else "xpassed"
    message = "" if expected is None else f"expected to fail, but holds: {expected}"
    counterexample = ""
    if failure is not None and law.may_refuse and failure.refuses:
        status, message = "skipped", f"step refuses {law.may_refuse}: {failure.error}"
    elif failure is not None:
        status = "failed" if expected is None else "xfailed"
        message = " ".join(str(failure.error).split())
        message = message if expected is None else f"expected, {expected}: {message}"
        counterexample = source.counterexample(law, failure, subject.framework, method)
    seconds = time.perf_counter() - started
    form = (law.name, law.group, law.equation, law.statement)
    return Result(*form, status, message, counterexample, tried, seconds)


def try_law(law: Law, subject: Judged, *, examples: int, seed: int) -> tuple[int, Failure | None]:
    """Return how many inputs a law was tried on, and the smallest that breaks it, if one does.

    Where none does, but the step refuses some that it may refuse, one of those is returned.
    """
    tried = 0
    failure: Failure | None = None
    refusal: Failure | None = None

    def check(case: Case) -> None:
        nonlocal tried, failure, refusal
        tried += 1
        try:
            law.check(subject, case)
        except (LawViolation, StepRaised, ProtocolError) as error:
            found = Failure(case, error)
            if law.may_refuse and found.refuses:  # another input may still break the law
                refusal = refusal or found
                return
            failure = found
            raise

    settings = hypothesis.settings(SETTINGS, max_examples=examples)
    inputs = law.inputs(subject.framework)
    try:
        with apart():
            hypothesis.seed(seed)(settings(hypothesis.given(inputs)(check)))()
    except (LawViolation, StepRaised, ProtocolError):
        pass
    except Flaky:
        if failure:
            now_and_then = LawViolation(f"now and then, not on every call: {failure.error}")
            failure = Failure(failure.case, now_and_then)
    return tried, failure or refusal
