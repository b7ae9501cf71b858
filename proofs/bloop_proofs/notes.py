"""Where a subject is wrong: what its inputs have in common there, in words."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.law import Failure, Law
from bloop_proofs.mistakes.mistake import Mistake, step_with
from bloop_proofs.signature import Signature
from bloop_proofs.subject import Subject, flat
from bloop_proofs.tolerances import norm
from bloop_proofs.trials import Trial, Watched, breaks, recording

T = TypeVar("T")

ENOUGH = 5
"""What is said of all inputs is said of so many at least."""
NEARLY = 0.9
"""A subject that is wrong on so many inputs of its first law is wrong everywhere."""
LOOKED_AT = 12
"""On so many inputs is a broken law tried on a mistake that may explain it."""
SURVEYED = 30
"""On so many inputs is it counted how often a broken law is broken."""


class Notes:
    """What laws see of a subject: their trials, and on what part of the inputs they are broken."""

    def __init__(self, subject: Subject) -> None:
        """Begin with no law."""
        self.subject = Watched.watching(subject)
        self.laws: list[Law] = []
        self.trials: dict[str, list[Trial]] = {}
        self.shares: dict[str, float] = {}

    def tried(self, law: Law) -> Law:
        """Return a law whose trials on the subject are noted."""
        self.laws.append(law)
        return recording(law, self.trials.setdefault(law.name, []))

    def surveyed(self, law: Law) -> Law:
        """Return a broken law that counts how often it is broken, and never raises."""
        survey: list[Trial] = []

        def check(subject: Any, case: Case) -> None:
            recording(law, survey, going_on=True).check(subject, case)
            self.trials[law.name].append(survey[-1])
            # the search has found an input that the survey may not find
            self.shares[law.name] = max(sum(1 for x in survey if x.error), 1) / len(survey)

        self.shares[law.name] = 1.0
        return replace(law, check=check)

    def said(self, law: Law, failure: Failure) -> str:
        """Return what a failure says, and where an output is not finite what is special there."""
        why = origin(self.subject.method, failure, self.trials[law.name])
        return " ".join(str(failure.error).split()) + why

    def largest(self, law: Law) -> str:
        """Return the largest violation measured, relative to its bound; "" where none was."""
        worst = max(self.trials[law.name], key=lambda trial: trial.excess, default=None)
        if worst is None or not worst.excess:
            return ""
        times = f", {worst.excess:.2g} times the bound" if worst.excess < math.inf else ""
        return " ".join(str(worst.error).split()) + times

    def grouped(self, mistakes: Sequence[Mistake]) -> dict[str, tuple[str, ...]]:
        """Return the broken laws by the mistake that breaks them on the same inputs, "" by none.

        What no mistake breaks alone may be broken by all of them ``together``.
        """
        broken = {
            law.name: [trial.case for trial in self.trials[law.name] if trial.error][-LOOKED_AT:]
            for law in self.laws
            if law.name in self.shares
        }
        checks = {law.name: law for law in self.laws}

        def breaks_as_well(subject: Subject, name: str, case: Case) -> bool:
            return breaks(checks[name], subject, self.subject.seen(case))

        return grouped(self.subject.method, mistakes, broken, breaks_as_well)

    @property
    def summary(self) -> str:
        """Where the subject is wrong, in one line; "" where it is right."""
        broken = [law.name for law in self.laws if law.name in self.shares]
        if not broken:
            return ""
        first, share = broken[0], self.shares[broken[0]]
        trials = [trial for known in self.trials.values() for trial in known]
        everywhere = share >= NEARLY and first == self.laws[0].name
        if not everywhere and (clause := where(self.subject.method, trials)):
            return f"wrong only where {clause}"
        return (
            f"wrong on {'every input' if share == 1 else f'{share:.0%} of the inputs'} of {first}"
        )


def grouped(
    method: Signature,
    mistakes: Sequence[Mistake],
    broken: Mapping[str, Sequence[T]],
    breaks_as_well: Callable[[Subject, str, T], bool],
) -> dict[str, tuple[str, ...]]:
    """Return the names of what is broken by the mistake that breaks it on all inputs, "" by none.

    What no mistake breaks alone may be broken by all of them ``together``. Nothing is known of what
    has no inputs, as of a law that only the first calls of a run have broken.
    """
    chosen: dict[str, Sequence[Mistake]] = {mistake.name: (mistake,) for mistake in mistakes}
    chosen |= {"together": mistakes} if len(mistakes) > 1 else {}
    made = {name: Subject(step_with(x), FRAMEWORKS["numpy"], method) for name, x in chosen.items()}
    groups: dict[str, tuple[str, ...]] = dict.fromkeys((*made, ""), ())
    for name, inputs in broken.items():
        named = made.items() if inputs else ()
        alike = (n for n, x in named if all(breaks_as_well(x, name, each) for each in inputs))
        groups[next(alike, "")] += (name,)
    return groups


def origin(method: Signature, failure: Failure, trials: Sequence[Trial]) -> str:
    """Return which entry of a failure is not finite first, and what is special about its input.

    What is special holds for all inputs that gave no finite output, where anything does.
    """
    if getattr(failure.error, "excess", 0.0) < math.inf:
        return ""
    alike = [trial for trial in trials if trial.excess == math.inf]
    calls = next((trial.calls for trial in alike if trial.error is failure.error), ())
    for case, output in calls:
        for name, vector in (output.vectors if output else {}).items():
            for i, leaf in enumerate(map(np.atleast_1d, vector)):
                for place in np.argwhere(~np.isfinite(leaf))[:1]:
                    said = f"{name}[{i}][{', '.join(map(str, place))}] is {leaf[tuple(place)]}"
                    why = causes(method, case)
                    shared = [x for x in why if all(x in features(method, t) for t in alike)]
                    clause = " and ".join(shared or why)
                    return f"; {said}{clause and ' where '}{clause}"
    return ""


def causes(method: Signature, case: Case) -> list[str]:
    """Return what about an input makes simple code divide by zero or leave its range."""
    found = []
    for step in method.steps(case):
        for i, vector in enumerate(step):
            found += [f"{method.name_of(i)} {said}" for said in _causes(vector)]
    return list(dict.fromkeys(found))


def _causes(vector: Gradient) -> Iterable[str]:
    size, names = norm(flat(vector)), {_real(leaf.dtype) for leaf in vector}
    if not math.isfinite(size):
        yield "is not finite"
        return
    if not size:
        yield "is 0"
    elif any(leaf.size and not np.any(leaf) for leaf in vector):
        yield "has a leaf of zeros"
    for name in sorted(names):
        limits = np.finfo("float32" if name == "bfloat16" else name)
        if size > math.sqrt(limits.max):
            yield f"has squares that overflow {name}"
        if size and size < math.sqrt(limits.smallest_subnormal):
            yield f"has squares that underflow to 0 in {name}"


def _real(dtype: Any) -> str:
    return {"complex64": "float32", "complex128": "float64"}.get(dtype.name, str(dtype.name))


def features(method: Signature, trial: Trial) -> set[str]:
    """Return what can be said of the inputs of a trial in a clause that follows "where"."""
    found = set()
    for case, _ in trial.calls:
        vectors = [vector for step in method.steps(case) for vector in step]
        found |= set(causes(method, case))
        found |= {"a vector is 0" for text in causes(method, case) if text.endswith(" is 0")}
        leaves = [leaf for vector in vectors for leaf in vector]
        names = {leaf.dtype.name for leaf in leaves}
        found |= {f"leaves are {name}" for name in names} if len(names) == 1 else {"dtypes differ"}
        said = {
            "leaves are complex": all(leaf.dtype.kind == "c" for leaf in leaves),
            "there are several leaves": len(vectors[0]) > 1,
            "a leaf is empty": not all(leaf.size for leaf in leaves),
            "a leaf has shape ()": any(leaf.ndim == 0 for leaf in leaves),
            "there are more than two gradients": len(method.steps(case)[-1]) > 2,
        }
        found |= {clause for clause, holds in said.items() if holds}
    return found


def quantities(method: Signature, trial: Trial) -> dict[str, list[float]]:
    """Return the numbers that describe the calls of a trial."""
    found: dict[str, list[float]] = {}
    for case, _ in trial.calls:
        step = method.steps(case)[-1]
        options = {x: case[x] for x in method.options if isinstance(case[x], int | float)}
        sizes = {f"||{method.name_of(i)}||": norm(flat(vector)) for i, vector in enumerate(step)}
        numbers = {**options, "the number of entries": flat(step[0]).size, **sizes}
        for name, value in numbers.items():
            found.setdefault(name, []).append(float(value))
    return found


def where(method: Signature, trials: Sequence[Trial]) -> str:
    """Return a clause that holds wherever a law is broken, and seldom elsewhere; "" for none.

    It names one thing, or up to three that are rare where nothing is wrong.
    """
    broken = [trial for trial in trials if trial.error and trial.calls]
    right = [trial for trial in trials if not trial.error and trial.calls]
    if min(len(broken), len(right)) < ENOUGH:
        return ""
    told = [features(method, trial) | {""} for trial in broken]
    elsewhere = Counter(said for trial in right for said in features(method, trial))
    common = {said: elsewhere[said] for said in sorted(set.intersection(*told) - {""})}
    common |= _thresholds(method, broken, right)
    if common and (best := min(common.items(), key=lambda item: item[1]))[1] <= len(right) / 2:
        return best[0]
    rare = {said for said in set.union(*told) - {""} if elsewhere[said] <= len(right) / 10}
    chosen: list[str] = []
    while told and rare and len(chosen) < 3:
        chosen.append(max(sorted(rare), key=lambda said: sum(said in words for words in told)))
        told = [words for words in told if chosen[-1] not in words]
    return "" if told else " or ".join(sorted(chosen))


def _thresholds(
    method: Signature, broken: Iterable[Trial], right: Iterable[Trial]
) -> dict[str, int]:
    """Return the bounds that hold where a law is broken, and how often they hold elsewhere."""
    wrong, fine = ([quantities(method, trial) for trial in some] for some in (broken, right))
    found = {}
    for name in sorted(set.intersection(*map(set, wrong))):
        least, most = min(max(x[name]) for x in wrong), max(min(x[name]) for x in wrong)
        known = [x[name] for x in fine if name in x]
        found[f"{name} >= {least:.3g}"] = sum(max(x) >= least for x in known)
        found[f"{name} <= {most:.3g}"] = sum(min(x) <= most for x in known)
    return found
