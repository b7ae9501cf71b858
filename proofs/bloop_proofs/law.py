"""Laws: plain functions that state a theorem and raise where a subject breaks it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from hypothesis.strategies import SearchStrategy

from bloop_proofs.cases import Case
from bloop_proofs.frameworks import Framework

Group = Literal["paper", "numerics"]
Inputs = Callable[[Framework], SearchStrategy[Case]]
Check = Callable[[Any, Case], None]
"""A theorem tried on a subject, of Bloop or of another method, and on one input."""


class LawViolation(AssertionError):
    """A subject broke a law; the message says what was measured and what was required."""


@dataclass(frozen=True)
class Law:
    """One law: its name, its group, the equation it tests, and what it is tried on.

    ``statement`` is the theorem. ``cost`` says how many ordinary checks one of this law takes:
    a law is tried on ``examples / cost`` inputs, once at least. A subject may decline what
    ``may_refuse`` names by raising ``TypeError`` or ``NotImplementedError``; the law is skipped.
    """

    name: str
    group: Group
    equation: str
    statement: str
    check: Check
    inputs: Inputs
    cost: int = 1
    may_refuse: str = ""


@dataclass(frozen=True)
class Failure:
    """An input on which a subject broke a law, and how."""

    case: Case
    error: Exception

    @property
    def refuses(self) -> bool:
        """Whether the step said that it does not take such inputs."""
        return isinstance(self.error.__cause__, TypeError | NotImplementedError)


def law(
    *, group: Group, equation: str, inputs: Inputs, cost: int = 1, may_refuse: str = ""
) -> Callable[[Check], Law]:
    """Make a law of a function whose name is its sentence and whose docstring its theorem."""

    def decorate(check: Check) -> Law:
        statement = " ".join((check.__doc__ or "").split())
        name = check.__name__.replace("_", "-")
        return Law(name, group, equation, statement, check, inputs, cost, may_refuse)

    return decorate


def require(holds: Any, message: str) -> None:
    """Raise ``LawViolation`` unless a condition holds."""
    if not holds:
        raise LawViolation(message)
