"""What a catalogued mistake is, and the decorators that make one of a few lines of code."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from bloop_proofs.cases import Case
from bloop_proofs.mistakes.pieces import Part, step_of
from bloop_proofs.subject import Step

Group = Literal["equations", "numerics"]


@dataclass(frozen=True, eq=False)
class Mistake:
    """A wrong implementation that people have written.

    ``group`` says whether it gets the paper's equations wrong or only the numerics; ``statement``
    what it does, ``where`` in which line of the paper or of the protocol, ``mend`` what to do about
    it. ``make`` returns a new step of the protocol, without memory of earlier calls. ``remembers``
    marks a step whose outputs depend on those calls, and ``unit`` is the unit roundoff it computes
    with, where that is coarser than its leaves'.

    Example:
        >>> from bloop_proofs.mistakes import CATALOGUE
        >>> first = CATALOGUE[0]
        >>> first.name
        'ema-is-updated-before-the-projection'
        >>> first.mend
        'Compute the direction with the EMA of the gradients before, and update it afterwards.'
        >>> first.witness
        Case(g_main=[array([1.])], g_aux=[array([1.])], ema=[array([0.])], lam=1.0, rho=0.5)
    """

    name: str
    group: Group
    statement: str
    where: str
    mend: str
    make: Callable[[], Step]
    remembers: bool = False
    unit: float = 0.0

    @property
    def step(self) -> Step:
        """A step that makes this mistake, new and without memory."""
        return self.make()

    @cached_property
    def witness(self) -> Case:
        """The smallest input that tells this mistake from a right step."""
        from bloop_proofs.mistakes.witness import smallest  # which compares mistakes

        return smallest(self)


Catalogued = Callable[[Any], Mistake]


def catalogued(function: Callable[..., Any], make: Callable[[], Step], **about: Any) -> Mistake:
    """Return the mistake that a function, named for it and with its statement, stands for."""
    name = function.__name__.replace("_", "-")
    return Mistake(name, statement=" ".join((function.__doc__ or "").split()), make=make, **about)


def wrong_direction(*, where: str, mend: str, group: Group = "equations") -> Catalogued:
    """Make a mistake of a function that returns a wrong direction; the EMA is right."""

    def decorate(part: Part) -> Mistake:
        return catalogued(part, lambda: step_of(part), where=where, mend=mend, group=group)

    return decorate


def wrong_average(*, where: str, mend: str, group: Group = "equations") -> Catalogued:
    """Make a mistake of a function that returns a wrong new EMA; the direction is right."""

    def decorate(mean: Part) -> Mistake:
        step = step_of(mean=mean)
        return catalogued(mean, lambda: step, where=where, mend=mend, group=group)

    return decorate


def wrong_step(
    *, where: str, mend: str, group: Group = "numerics", unit: float = 0.0
) -> Catalogued:
    """Make a mistake of a whole step of the protocol."""

    def decorate(step: Step) -> Mistake:
        return catalogued(step, lambda: step, where=where, mend=mend, group=group, unit=unit)

    return decorate


def wrong_object(
    *, where: str, mend: str, group: Group = "numerics", remembers: bool = True
) -> Catalogued:
    """Make a mistake of a function that returns a step with a memory."""

    def decorate(make: Callable[[], Step]) -> Mistake:
        return catalogued(make, make, where=where, mend=mend, group=group, remembers=remembers)

    return decorate
