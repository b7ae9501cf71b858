"""Trying every law on a subject, and recording what happened."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import hypothesis
from hypothesis.errors import Flaky, Unsatisfiable

from bloop_proofs.cases import Case
from bloop_proofs.diagnosis import diagnose
from bloop_proofs.domain import OutsideDomain, declared
from bloop_proofs.frameworks import framework_named
from bloop_proofs.law import Failure, Law, LawViolation, laws_named
from bloop_proofs.methods import method_named
from bloop_proofs.mistakes.reading import read_off
from bloop_proofs.opening import first_failures
from bloop_proofs.quiet import SETTINGS, apart, dice, seed_of, silence, throw
from bloop_proofs.report import Report, Result, Status
from bloop_proofs.source import Source, source_of
from bloop_proofs.subject import RAISED, ProtocolError, Step, StepRaised, Subject

ALIKE = 10
"""So many laws in a row that fail with the same exception say all that there is to say."""


def check_implementation(
    step: Step,
    *,
    method: str = "bloop",
    framework: str = "numpy",
    laws: str | Iterable[str] = "all",
    examples: int = 100,
    seed: int = 0,
    expected_failures: Mapping[str, str] | None = None,
    assume: str | Iterable[str] = (),
    progress: Callable[[Result], None] | None = None,
) -> Report:
    """Judge an implementation of Bloop or of another method, in any framework, by all its laws.

    Args:
        step: ``step(g_main, g_aux, ema, *, lam, rho) -> (direction, new_ema)``, every gradient a
            list of the framework's arrays, one per parameter; the direction has g_main's dtypes,
            the new EMA has ema's. Other forms: see ``bloop_proofs.adapters``. For another method
            ``step(gradients, **options) -> direction``, or with a state
            ``step(gradients, state, **options) -> (direction, state)``, the state being ``None``
            before the first step and then whatever the step returned; ``gradients`` is
            [g_main, g_aux, ...], and the direction has g_main's shapes and dtypes.
        method: ``"bloop"``, ``"pcgrad"``, ``"grad_vac"``, ``"mgda"``, ...: ``METHODS`` lists them,
            and the signature of each.
        framework: ``"numpy"``, ``"torch"``, ``"jax"`` or ``"cupy"``.
        laws: ``"all"``, ``"paper"``, ``"numerics"``, or names of laws of the method.
        examples: how many inputs an ordinary law is tried on; costly laws are tried on fewer.
        seed: where the drawing of inputs starts; the same seed draws the same inputs.
        expected_failures: reasons by the names of laws that are known to fail. One that holds all
            the same is ``xpassed``, which fails the report: the entry has expired.
        assume: the inputs that the step is for, such as ``"real,float32,rho<1"``, where these are
            not all of the method's: ``bloop_proofs.domain.ASSUMPTIONS`` and dtypes. It is judged on
            these alone, laws about others are ``skipped``, and it may refuse none of these.
        progress: called with each result as it comes.

    Returns:
        A ``Report``; its ``passed`` is the verdict. Where the step raises the same in ten laws in
        a row, the others are skipped.

    Raises:
        ProtocolError: the step takes or returns something else than the protocol says.
        ValueError: an argument is none of those above, or the framework is not installed.
        TypeError: the step cannot be called.

    Example:
        >>> def forgets_the_projection(g_main, g_aux, ema, *, lam, rho):
        ...     direction = [g + lam * a for g, a in zip(g_main, g_aux)]
        ...     return direction, [(1 - rho) * e + rho * g for g, e in zip(g_main, ema)]
        >>> report = check_implementation(forgets_the_projection, laws=["direction-is-equation-5"])
        >>> report.passed, report.results[0].status
        (False, 'failed')
        >>> def project(u, v):
        ...     return u - min(u @ v, 0) / (v @ v) * v if v @ v else u
        >>> def mine(gradients):
        ...     (m,), (a,) = gradients
        ...     return [project(m, a) + project(a, m)]
        >>> laws = ["direction-is-as-defined"]
        >>> report = check_implementation(mine, method="pcgrad", laws=laws, examples=5)
        >>> report.results[0].message
        'step raised ValueError: too many values to unpack (expected 1)'
    """
    expected = expected_failures or {}
    known = method_named(method)
    chosen = checked_laws(step, framework, laws, examples, expected, known.laws)
    subject = subject_in(assume, Subject(step, framework_named(framework), known.signature))
    source = source_of(step)
    with silence(), dice(seed):
        opening = first_failures(subject, chosen, examples=examples)
        results: list[Result] = []
        for law in chosen:
            if why := hopeless(results):
                result = untried(law, why)
            else:
                first, reason = opening.get(law.name), expected.get(law.name)
                result = _judge(law, subject, source, examples, seed, reason, first)
            results.append(result)
            if progress:
                progress(result)
        failed = any(result.status in ("failed", "xfailed") for result in results)
        diagnosis = diagnose(subject, seed=seed) if failed else ()
        proved = any(entry.proved for entry in diagnosis)
        reading = read_off(subject, known.right) if failed and not proved else ""
    judged = (source.name, framework, seed, examples, tuple(results))
    return Report(*judged, diagnosis, method, subject.domain, reading)


def subject_in(assume: str | Iterable[str], subject: Subject) -> Subject:
    """Return a subject that is for some inputs only; raise ``ValueError`` where there are none."""
    judged = replace(subject, domain=declared(assume, subject.method))
    if not judged.dtypes:
        raise ValueError(
            f"assume must leave a dtype that {subject.framework.name} has here, "
            f"one of {', '.join(subject.dtypes)}; found {', '.join(judged.domain.dtypes)}"
        )
    return judged


def checked_laws(
    step: Step,
    framework: str,
    laws: str | Iterable[str],
    examples: Any,
    expected_failures: Mapping[str, str],
    catalogue: Sequence[Law],
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


def hopeless(results: Sequence[Result]) -> str:
    """Return what the step raised in each of the last laws tried, "" where it did not in all."""
    tried = [result for result in results if result.status != "skipped"][-ALIKE:]
    messages = {result.message if result.status == "failed" else "" for result in tried}
    same = messages.pop() if len(tried) == ALIKE and len(messages) == 1 else ""
    return same if same.startswith(RAISED) else ""


def untried(law: Law, why: str) -> Result:
    """Return the verdict on a law that is not tried after others that failed alike."""
    message = f"not tried, since {ALIKE} laws in a row failed alike: {why}"
    return Result(law.name, law.group, law.equation, law.statement, "skipped", message)


def _judge(
    law: Law,
    subject: Subject,
    source: Source,
    examples: int,
    seed: int,
    expected: str | None,
    first: Failure | None,
) -> Result:
    """Try one law and say what came of it, and of the first calls."""
    started = time.perf_counter()
    tried, failure = try_law(law, subject, examples=max(1, examples // law.cost), seed=seed)
    failure = failure or first
    status: Status = "passed" if expected is None else "xpassed"
    message = "" if expected is None else f"expected to fail, but holds: {expected}"
    counterexample = ""
    if not tried and failure is None:
        status, message = "skipped", f"it is about other inputs than {subject.domain}"
    elif failure is not None and _may_refuse(law, subject) and failure.refuses:
        status, message = "skipped", f"step refuses {law.may_refuse}: {failure.error}"
    elif failure is not None:
        status = "failed" if expected is None else "xfailed"
        message = " ".join(str(failure.error).split())
        message = message if expected is None else f"expected, {expected}: {message}"
        counterexample = source.counterexample(law, failure, subject)
    seconds = time.perf_counter() - started
    form = (law.name, law.group, law.equation, law.statement)
    return Result(*form, status, message, counterexample, tried, seconds)


def _may_refuse(law: Law, subject: Subject) -> bool:
    """Whether a subject may refuse the inputs of a law: who has declared a domain has said all."""
    return bool(law.may_refuse) and not subject.domain


def try_law(law: Law, subject: Subject, *, examples: int, seed: int) -> tuple[int, Failure | None]:
    """Return how many inputs a law was tried on, and the smallest that breaks it, if one does.

    Where none does, but the step refuses some that it may refuse, one of those is returned.
    """
    tried = 0
    failure: Failure | None = None
    refusal: Failure | None = None
    number = seed_of(seed, law.name)

    def check(case: Case) -> None:
        nonlocal tried, failure, refusal, number
        tried += 1
        number += 1
        throw(number)  # hypothesis, which puts them back afterwards, begins each input alike
        try:
            law.check(subject, case)
        except (LawViolation, StepRaised, ProtocolError) as error:
            found = Failure(case, error)
            if _may_refuse(law, subject) and found.refuses:  # another input may still break the law
                refusal = refusal or found
                return
            failure = found
            raise
        except OutsideDomain:
            tried -= 1
            hypothesis.reject()

    settings = hypothesis.settings(SETTINGS, max_examples=examples)
    inputs = law.inputs(subject.framework)
    try:
        with apart():
            hypothesis.seed(seed)(settings(hypothesis.given(inputs)(check)))()
    except (LawViolation, StepRaised, ProtocolError, Unsatisfiable):
        pass
    except Flaky:
        if failure:
            now_and_then = LawViolation(f"now and then, not on every call: {failure.error}")
            failure = Failure(failure.case, now_and_then)
    return tried, failure or refusal
