"""What a catalogued mistake is, and how one is made of a few lines of code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.gradients import unflatten
from bloop_proofs.mistakes.formula import Entry, Parts, entries, exchanging, joined
from bloop_proofs.signature import Signature
from bloop_proofs.subject import Step, flat
from bloop_proofs.truths.products import Plain

Group = Literal["equations", "numerics"]


def unchanged(step: Step) -> Step:
    """Return a step as it is."""
    return step


Base = Callable[[Parts], Step]
"""From parts that are exchanged to the step of a method that is right but for them."""


@dataclass(frozen=True, eq=False)
class Mistake:
    """A wrong implementation that people have written.

    ``group`` says whether it gets the equations wrong or only the numerics; ``statement`` what it
    does, ``where`` in which line of the paper or of the protocol, ``mend`` what to do about it.
    It exchanges ``parts`` of a step of the ``method``, of which ``base`` makes one without memory
    of earlier calls, or does something ``around`` any step, or both. ``remembers``
    marks a step whose outputs depend on those calls, and ``unit`` is the unit roundoff it computes
    with, where that is coarser than its leaves'. ``fitted`` returns the same mistake with another
    constant in it, where it has one that may be any; it is ``made`` then, and not in the catalogue.

    Example:
        >>> from bloop_proofs import METHODS
        >>> first = METHODS["bloop"].mistakes[0]
        >>> first.name
        'ema-is-updated-before-the-projection'
        >>> first.mend
        'Compute the direction with the EMA of the gradients before, and update it afterwards.'
    """

    method: Signature
    name: str
    group: Group
    statement: str
    where: str
    mend: str
    base: Base
    parts: Parts = field(default_factory=dict)
    around: Callable[[Step], Step] = unchanged
    remembers: bool = False
    unit: float = 0.0
    fitted: Callable[[str], "Mistake"] | None = None
    made: bool = False

    @property
    def step(self) -> Step:
        """A step that makes this mistake, new and without memory."""
        return step_with((self,))


def step_with(mistakes: Sequence[Mistake]) -> Step:
    """Return a step that makes several mistakes, those around it one around the other.

    Raises ``ValueError`` where two exchange the same part.

    Example:
        >>> from bloop_proofs import METHODS
        >>> known = {mistake.name: mistake for mistake in METHODS["bloop"].mistakes}
        >>> names = "ema-is-updated-before-the-projection", "lam-is-missing"
        >>> step = step_with([known[name] for name in names])
        >>> one, two = ([np.array([x, 1.0])] for x in (1.0, 0.0))
        >>> direction, average = step(one, two, one, lam=3.0, rho=1.0)
        >>> direction[0].tolist()  # g + a - <a, e'> / ||e'||^2 e'
        [0.5, 1.5]
    """
    step = mistakes[0].base(joined(mistake.parts for mistake in mistakes))
    for mistake in mistakes:
        step = mistake.around(step)
    return step


Catalogued = Callable[[Any], Mistake]


def catalogued(method: Signature, function: Callable[..., Any], **about: Any) -> Mistake:
    """Return the mistake that a function, named for it and with its statement, stands for."""
    name = function.__name__.replace("_", "-")
    statement = " ".join((function.__doc__ or "").split())
    return Mistake(method, name, statement=statement, **about)


def mistakes_in(*modules: Any) -> tuple[Mistake, ...]:
    """Return the mistakes that some modules define, in their order."""
    values = (x for module in modules for x in vars(module).values())
    groups = (x if isinstance(x, tuple) else (x,) for x in values)
    return tuple(x for group in groups for x in group if isinstance(x, Mistake))


def step_of(plain: Plain, method: Signature) -> Step:
    """Return a step of the protocol that computes in float64, on the rows of a matrix."""

    def stateless(gradients: Sequence[Gradient], **options: Any) -> Gradient:
        return unflatten(plain(_matrix(gradients), **options), gradients[0])

    def stateful(gradients: Sequence[Gradient], state: Any, **options: Any) -> Any:
        direction, state = plain(_matrix(gradients), state, **options)
        return unflatten(direction, gradients[0]), state

    return stateful if method.stateful else stateless


def _matrix(gradients: Sequence[Gradient]) -> np.ndarray:
    return np.array([flat(gradient) for gradient in gradients])


def as_listed(
    method: Signature,
    text: str,
    base: Base,
    statement_of: Callable[[Entry], str],
    group: Group = "equations",
    unit: float = 0.0,
) -> tuple[Mistake, ...]:
    """Return the mistakes of a text, given what they do that say no more than their formulas."""

    def made(entry: Entry, new: bool = False) -> Mistake:
        said = entry.statement or statement_of(entry)
        fitted = (lambda value: made(entry.at(value), True)) if entry.free else None
        about: dict[str, Any] = {"where": entry.where, "mend": entry.mend, "fitted": fitted}
        about |= {"base": base, "parts": entry.parts, "unit": unit, "made": new}
        return Mistake(method, entry.name, group, said, **about)

    return tuple(map(made, entries(text)))


def listed(method: Signature, plain: Plain, text: str, **names: Any) -> tuple[Mistake, ...]:
    """Return the mistakes of a text that exchange parts of a right step on rows for formulas."""

    def base(parts: Parts) -> Step:
        return step_of(exchanging(parts, plain, names), method)

    return as_listed(
        method, text, base, lambda entry: f"The direction is {entry.parts['d'][0].text}."
    )
