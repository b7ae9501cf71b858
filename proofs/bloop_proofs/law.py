"""Laws: plain functions that state a theorem and raise where a subject breaks it."""

from collections.abc import Callable, Iterable, Sequence
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
    ``may_refuse`` names by raising ``TypeError`` or ``NotImplementedError``, unless a domain was
    declared; the law is skipped. One that ``opens`` is tried on the first calls of all too, on a
    case with the number ``calls``.
    """

    name: str
    group: Group
    equation: str
    statement: str
    check: Check
    inputs: Inputs
    cost: int = 1
    may_refuse: str = ""
    opens: bool = False


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
    *,
    equation: str,
    inputs: Inputs,
    group: Group = "paper",
    cost: int = 1,
    may_refuse: str = "",
    opens: bool = False,
    name: str = "",
    statement: str = "",
) -> Callable[[Check], Law]:
    """Make a law of a function whose name is its sentence and whose docstring its theorem.

    The function gets the case as the step sees it. A law that many methods obey is given another
    ``name`` or ``statement`` where it is said in other words.
    """

    def decorate(check: Check) -> Law:
        def seen(subject: Any, case: Case) -> None:
            check(subject, subject.seen(case))

        theorem = " ".join((statement or check.__doc__ or "").split())
        title = name or check.__name__.replace("_", "-")
        return Law(title, group, equation, theorem, seen, inputs, cost, may_refuse, opens)

    return decorate


def laws_in(*modules: Any) -> tuple[Law, ...]:
    """Return the laws that some modules define, in their order."""
    return tuple(x for module in modules for x in vars(module).values() if isinstance(x, Law))


def laws_named(names: str | Iterable[str], catalogue: Sequence[Law]) -> tuple[Law, ...]:
    """Return all laws, those of a group, or those of given names, in the catalogue's order.

    Raises ``ValueError`` for a name that is neither, and where no law is named.
    """
    wanted = {names} if isinstance(names, str) else set(names)
    known = {"all", "paper", "numerics"} | {law.name for law in catalogue}
    if unknown := sorted(wanted - known):
        raise ValueError(f"laws must be all, paper, numerics or names of laws; found {unknown}")
    if not wanted:
        raise ValueError("laws must name at least one law; found none")
    return tuple(law for law in catalogue if wanted & {"all", law.group, law.name})


def require(holds: Any, message: str) -> None:
    """Raise ``LawViolation`` unless a condition holds."""
    if not holds:
        raise LawViolation(message)
