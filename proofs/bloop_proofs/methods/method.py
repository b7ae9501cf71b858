"""What the suite must know of a method: its options, its formula, and the reference to judge by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import Any

from bloop_proofs.cases import Case
from bloop_ref import surgery

Values = Callable[[int], Sequence[Any]]
"""From the number of losses to the values of an option that a law chooses from."""


def unchanged(case: Case) -> Case:
    """Return a case as it is."""
    return case


@dataclass(frozen=True, eq=False)
class Method:
    """A method of combining gradients that implementations can be judged by.

    ``options`` are the keyword arguments that every step takes, ``optional`` those that it gets if
    its signature names them, with the value that it is judged by where it does not (``None``: any
    value is right). ``make`` returns the reference for given options, of the same names.
    ``prepared`` keeps inputs away from points where right implementations may differ.
    """

    name: str
    theorem: str
    where: str
    make: Callable[..., surgery.Method]
    options: Mapping[str, Values] = field(default_factory=dict)
    optional: Mapping[str, tuple[Values, Any]] = field(default_factory=dict)
    stateful: bool = False
    most_losses: int = 3
    prepared: Callable[[Case], Case] = unchanged

    @property
    def signature(self) -> str:
        """How a step of this method is called."""
        first = "gradients, state" if self.stateful else "gradients"
        names = list(self.options)
        extra = "".join(f"[, {name}]" for name in self.optional)
        returned = "(direction, state)" if self.stateful else "direction"
        star = ", *" if names or extra else ""
        options = "".join(f", {name}" for name in names)
        return f"step({first}{star}{options}{extra}) -> {returned}"


def every_order(losses: int) -> list[list[list[int]]]:
    """Return all ways in which gradients can meet the others, each a list of a row per gradient."""
    rows = [permutations(j for j in range(losses) if j != i) for i in range(losses)]
    return [[list(row) for row in choice] for choice in product(*rows)]


def any_of(*values: Any) -> Values:
    """Return the same values for any number of losses."""
    return lambda losses: values
