"""What a law saw of a subject over many inputs: how far it is off, where, and on what share."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bloop_proofs.cases import Case
from bloop_proofs.law import Failure, Law, LawViolation
from bloop_proofs.subject import Output, ProtocolError, StepRaised, Subject

KEPT = 8
"""So many inputs of a law that holds are remembered."""


@dataclass(frozen=True)
class Watched(Subject):
    """A subject whose calls are remembered: their inputs, and what came of them."""

    calls: list[tuple[Case, Output | None]] = field(default_factory=list, repr=False, compare=False)

    @classmethod
    def watching(cls, subject: Subject) -> "Watched":
        """Return a subject that is watched."""
        return cls(subject.step, subject.framework, subject.method, subject.domain)

    def run(self, steps: Sequence[list[list[Any]]], case: Case) -> Output:
        """Run some steps as a subject does."""
        self.calls.append((case, None))
        output = super().run(steps, case)
        self.calls[-1] = (case, output)
        return output


@dataclass(frozen=True)
class Trial:
    """One input of a law: the calls it took, and how the law was broken, if it was."""

    case: Case
    calls: tuple[tuple[Case, Output | None], ...]
    error: Exception | None

    @property
    def excess(self) -> float:
        """How many times the bound the violation is."""
        return getattr(self.error, "excess", 0.0)


def recording(law: Law, trials: list[Trial], *, going_on: bool = False) -> Law:
    """Return a law that notes every trial of a ``Watched`` subject; failures may pass."""

    def check(subject: Any, case: Case) -> None:
        subject.calls.clear()
        error: Exception | None = None
        try:
            law.check(subject, case)
        except (LawViolation, StepRaised, ProtocolError) as found:
            error = found
            if law.may_refuse and not subject.domain and Failure(case, found).refuses:
                raise
        if error or len(trials) < KEPT or going_on:
            trials.append(Trial(case, tuple(subject.calls), error))
        if error and not going_on:
            raise error

    return replace(law, check=check)


def breaks(law: Law, subject: Subject, case: Case) -> bool:
    """Whether a subject breaks a law on an input."""
    try:
        law.check(subject, case)
    except (LawViolation, StepRaised, ProtocolError):
        return True
    return False
