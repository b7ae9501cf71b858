"""Judging outputs against the golden vectors, group by group and dtype by dtype."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from bloop_proofs.diagnosis import explained, said
from bloop_proofs.files import read_text
from bloop_proofs.frameworks import framework_named
from bloop_proofs.law import refuses
from bloop_proofs.methods import method_named
from bloop_proofs.mistakes.diagnosis import Explanation
from bloop_proofs.quiet import silence
from bloop_proofs.report import Report, Result
from bloop_proofs.source import source_of
from bloop_proofs.subject import Step, StepRaised, Subject
from bloop_proofs.vectors import decoding, plain
from bloop_proofs.vectors.comparing import violation
from bloop_proofs.vectors.diagnosing import KINDS_OF_STEPS, by_mistake, explanations
from bloop_proofs.vectors.golden import golden, notes
from bloop_proofs.vectors.model import BESIDE, GROUPS, MORE, Found, Golden, Outputs, VectorError
from bloop_proofs.vectors.running import run

SEED = 0
"""Golden vectors were drawn once."""


def judge(path: str | Path) -> Report:
    """Judge the outputs that a program wrote, as JSON or plain text, for the golden vectors.

    Every group of cases is one result per dtype. A group, or a dtype, of which the file has no
    case at all is skipped; of any other it must have every case.

    Raises:
        VectorError: the file cannot be read, is malformed or incomplete, or has an unknown id or
            another shape; the message is one line.
    """
    try:
        content = read_text(Path(path))
    except OSError as error:
        raise VectorError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise VectorError(str(error)) from error
    try:
        reader = decoding.outputs if content.lstrip()[:1] in ("{", "[") else plain.outputs
        found = reader(content, {case.id: case for case in golden()})
        if not found:
            raise VectorError("outputs must be of one golden vector at least; found none")
        results, wrong = _verdicts(golden(), found)
        mistakes = explanations(golden(), found, wrong)
        answered = [case for case in golden() if case.id in found]
        where = flagged(wrong, answered)
        methods = {case.kind if case.kind in BESIDE else "bloop" for case in answered}
        method = methods.pop() if len(methods) == 1 else "bloop"
        head = (str(path), "vectors", SEED, len(found), results)
        return _report(head, method, mistakes, wrong, where)
    except VectorError as error:
        raise VectorError(f"{path}: {error}") from error


def check(step: Step, framework: str = "numpy", method: str = "bloop") -> Report:
    """Judge a step, as ``check_implementation`` takes it, on the golden steps and trajectories.

    A step of another method may refuse more than two gradients.

    Raises:
        StepRaised: the step raises; ``ProtocolError`` where it returns no pair.
        ValueError: the framework or the method is unknown, or the method has no golden vectors.

    Example:
        >>> def forgets_the_ema(g_main, g_aux, ema, *, lam, rho):
        ...     return [g + lam * a for g, a in zip(g_main, g_aux)], ema
        >>> report = check(forgets_the_ema)
        >>> report.passed, report.broken[0].law
        (False, 'steps-float64')
    """
    subject = Subject(step, framework_named(framework), method_named(method).signature)
    dtypes = subject.framework.dtypes()
    kinds = KINDS_OF_STEPS.get(method, (method,))
    chosen = [case for case in golden() if case.kind in kinds and case.dtype in dtypes]
    if not chosen:
        raise ValueError(f"method must have golden vectors; found {method!r}, which has none")
    with silence():
        found = _found(subject, chosen)
        results, wrong = _verdicts(chosen, found)
        mistakes = explained(subject, seed=SEED) if wrong else []
    head = (source_of(step).name, framework, SEED, len(found), results)
    return _report(head, method, mistakes, wrong, flagged(wrong, chosen))


def _report(
    head: tuple[str, str, int, int, tuple[Result, ...]],
    method: str,
    found: Sequence[Explanation],
    wrong: Sequence[Golden],
    where: str,
) -> Report:
    """Return the report with the broken groups by the mistakes that break them."""
    broken: dict[str, list[Golden]] = {}
    for case in wrong:
        broken.setdefault(_name(case), []).append(case)
    groups = by_mistake(found, broken)
    diagnosis = tuple(map(said, found))
    left = groups.pop("")
    return Report(*head, diagnosis, method, summary=where, explained=groups, remaining=left)


def _name(case: Golden) -> str:
    return f"{case.group}-{case.dtype}"


def _found(subject: Subject, cases: Sequence[Golden]) -> Outputs:
    """Return the outputs of a subject, which may refuse more than two gradients."""
    found: dict[str, Found] = {}
    for case in cases:
        try:
            found[case.id] = run(subject, case)
        except StepRaised as error:
            if not case.group.endswith(MORE) or not refuses(error):
                raise
    return found


def flagged(wrong: Sequence[Golden], judged: Sequence[Golden]) -> str:
    """Return the bug that the flag of all wrong cases is for, where most right ones lack it."""
    common = set.intersection(*(set(case.flags) for case in wrong)) if wrong else set()
    right = [case for case in judged if case not in wrong]
    elsewhere = {flag: sum(flag in case.flags for case in right) for flag in sorted(common)}
    if not elsewhere or (least := min(elsewhere.values())) > len(right) / 2:
        return ""
    flag = next(flag for flag, count in elsewhere.items() if count == least)
    return f"wrong only where flagged {flag}: {notes()[flag]['bug']}"


def _verdicts(cases: Sequence[Golden], found: Outputs) -> tuple[tuple[Result, ...], list[Golden]]:
    """Return a result per dtype and group, and the cases that are wrong."""
    answered = [case for case in cases if case.id in found]
    wrong = {case.id: said for case in answered if (said := violation(case, found[case.id]))}
    dtypes, groups = {case.dtype for case in answered}, {case.group for case in answered}
    tried = [case for case in cases if case.dtype in dtypes and case.group in groups]
    judged = [
        _result(list(together), found, wrong)
        for _, together in groupby(tried, lambda case: (case.dtype, case.group))
    ]
    left_out = _left_out(cases, dtypes, groups)
    return (*judged, *left_out), [case for case in answered if case.id in wrong]


def _left_out(cases: Sequence[Golden], dtypes: set[str], groups: set[str]) -> Iterator[Result]:
    """Yield one skipped result for every group, and for every dtype, that has no outputs."""
    counts = Counter(case.group for case in cases)
    missing = {group: count for group, count in counts.items() if group not in groups}
    beside = {case.group for case in cases if case.kind in BESIDE}
    for group, count in missing.items():
        if group not in beside or groups & beside:
            yield _skipped(group, group, count)
    if beside and not groups & beside:
        yield _skipped("methods-beside", "mixed", sum(missing[group] for group in beside))
    for dtype, count in Counter(case.dtype for case in cases).items():
        if dtype not in dtypes:
            yield _skipped(dtype, "steps", count)


def _skipped(name: str, group: str, count: int) -> Result:
    return Result(name, *GROUPS[group], "skipped", f"no outputs for its {count} cases")


def _result(cases: Sequence[Golden], found: Outputs, wrong: Mapping[str, str]) -> Result:
    """Judge the cases of one group and dtype, of which some are known to be wrong."""
    group = cases[0].group
    name = _name(cases[0])
    if not any(case.id in found for case in cases):
        return _skipped(name, group, len(cases))
    for case in cases:
        if case.id not in found:
            raise VectorError(f"{name} must have outputs for {case.id}, as for others; found none")
    broken = [case for case in cases if case.id in wrong]
    if not broken:
        return Result(name, *GROUPS[group], "passed", examples=len(cases))
    first = broken[0]
    message = f"{first.id}: {wrong[first.id]} ({len(broken)} of {len(cases)} cases are wrong)"
    return Result(name, *GROUPS[group], "failed", message, plain.block(first), len(cases))
