"""What a catalogued mistake is, and how one is made of a few lines of code."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.gradients import unflatten
from bloop_proofs.mistakes.formula import Entry, entries, exchanging
from bloop_proofs.signature import Signature
from bloop_proofs.subject import Step, flat
from bloop_proofs.truths.products import Plain

Group = Literal["equations", "numerics"]


@dataclass(frozen=True, eq=False)
class Mistake:
    """A wrong implementation that people have written.

    ``group`` says whether it gets the equations wrong or only the numerics; ``statement`` what it
    does, ``where`` in which line of the paper or of the protocol, ``mend`` what to do about it.
    ``make`` returns a new step of the ``method``, without memory of earlier calls. ``remembers``
    marks a step whose outputs depend on those calls, and ``unit`` is the unit roundoff it computes
    with, where that is coarser than its leaves'. ``fitted`` returns the same mistake with another
    constant in it, where it has one that may be any.

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
    make: Callable[[], Step]
    remembers: bool = False
    unit: float = 0.0
    fitted: Callable[[str], "Mistake"] | None = None

    @property
    def step(self) -> Step:
        """A step that makes this mistake, new and without memory."""
        return self.make()


Catalogued = Callable[[Any], Mistake]


def catalogued(
    method: Signature, function: Callable[..., Any], make: Callable[[], Step], **about: Any
) -> Mistake:
    """Return the mistake that a function, named for it and with its statement, stands for."""
    name = function.__name__.replace("_", "-")
    statement = " ".join((function.__doc__ or "").split())
    return Mistake(method, name, statement=statement, make=make, **about)


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
    step: Callable[[Entry], Step],
    sentences: Mapping[str, str],
    group: Group = "equations",
) -> tuple[Mistake, ...]:
    """Return the mistakes of a text, given the step of each.

    What a mistake does that says no more than its formula is said by the sentence for its part.
    """

    def made(entry: Entry) -> Mistake:
        name, part = next(iter(entry.parts.items()))
        statement = entry.statement or sentences[name].format(part.text)
        wrong = step(entry)
        fitted = (lambda value: made(entry.at(value))) if entry.free else None
        about: dict[str, Any] = {"where": entry.where, "mend": entry.mend, "fitted": fitted}
        return Mistake(method, entry.name, group, statement, make=lambda: wrong, **about)

    return tuple(map(made, entries(text)))


def listed(method: Signature, plain: Plain, text: str, **names: Any) -> tuple[Mistake, ...]:
    """Return the mistakes of a text that exchange parts of a right step on rows for formulas."""

    def step(entry: Entry) -> Step:
        return step_of(exchanging(entry, plain, names), method)

    return as_listed(method, text, step, {"d": "The direction is {}."})
