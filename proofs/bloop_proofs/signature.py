"""What the suite must know of a method: how its step is called, and what is right."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient

Values = Callable[[int], Sequence[Any]]
"""From the number of losses to the values of an option that a law chooses from."""
Answer = Mapping[str, tuple[np.ndarray, float]]
"""For every output what is right, as one long vector, and how far a right step may be from it."""


def unchanged(case: Case) -> Case:
    """Return a case as it is."""
    return case


@dataclass(frozen=True, eq=False)
class Signature:
    """A method of combining gradients that implementations can be judged by.

    ``vectors`` names the vectors that a step takes one by one; where there are none it takes a list
    of gradients, the main one first. ``outputs`` names the vectors that it returns, each with the
    place of the vector that it has the form of. With a state the step takes it second and returns
    it second. ``options`` are the keyword arguments that every step takes, ``optional`` those that
    it gets if its signature names them, with the value that it is judged by where it does not
    (``None``: any value is right). ``answers`` yields what is right for a case, several answers
    where an option has any value, those nearest to a given direction first. ``prepared`` keeps
    inputs away from points where right implementations may differ. ``bounds`` says how far a right
    step may be from what is right, where that takes less than the answers; ``sizes`` what outputs
    are made of, where that is not all vectors.
    """

    name: str
    theorem: str
    where: str
    answers: Callable[[Any, Case, np.ndarray | None], Iterator[Answer]]
    vectors: tuple[str, ...] = ()
    outputs: Mapping[str, int] = field(default_factory=lambda: {"direction": 0})
    options: Mapping[str, Values] = field(default_factory=dict)
    optional: Mapping[str, tuple[Values, Any]] = field(default_factory=dict)
    stateful: bool = False
    most_losses: int = 3
    prepared: Callable[[Case], Case] = unchanged
    bounds: Callable[[Case], Mapping[str, float]] | None = None
    sizes: Callable[[Any, Case], tuple[tuple[float, float], ...]] | None = None

    @property
    def returned(self) -> tuple[str, ...]:
        """The names of all that a step returns."""
        return (*self.outputs, "state") if self.stateful else tuple(self.outputs)

    @property
    def call(self) -> str:
        """How a step of this method is called."""
        first = ", ".join(self.vectors) or "gradients"
        first += ", state" if self.stateful else ""
        names = list(self.options)
        extra = "".join(f"[, {name}]" for name in self.optional)
        star = ", *" if names or extra else ""
        options = "".join(f", {name}" for name in names)
        return f"step({first}{star}{options}{extra}) -> {self.result}"

    @property
    def result(self) -> str:
        """What a step returns, in parentheses if it is a pair."""
        return ", ".join(self.returned).join("()" if len(self.returned) > 1 else ("", ""))

    @property
    def choices(self) -> Mapping[str, Values]:
        """All options, those that not every step takes too."""
        return {**self.options, **{name: values for name, (values, _) in self.optional.items()}}

    def name_of(self, place: int) -> str:
        """Return the name of the vector at a place among those of a step."""
        return self.vectors[place] if self.vectors else f"gradients[{place}]"

    def steps(self, case: Case) -> list[list[Gradient]]:
        """Return the vectors of all steps of a case."""
        if self.vectors:
            return [[case[name] for name in self.vectors]]
        return [*case.get("earlier", []), case.gradients]

    def packed(self, steps: Sequence[list[Gradient]]) -> dict[str, Any]:
        """Return the vectors of all steps by their names in a case."""
        if self.vectors:
            return dict(zip(self.vectors, steps[-1], strict=False))
        past = {"earlier": list(steps[:-1])} if self.stateful else {}
        return {**past, "gradients": steps[-1]}

    def on_all(self, case: Case, change: Callable[[Gradient], Gradient]) -> Case:
        """Return a case with a change made to every vector of every step."""
        return self.on_steps(case, lambda step: list(map(change, step)))

    def on_steps(self, case: Case, change: Callable[[list[Gradient]], list[Gradient]]) -> Case:
        """Return a case with a change made to the vectors of every step."""
        return case.but(**self.packed([change(step) for step in self.steps(case)]))


def every_order(losses: int) -> list[list[list[int]]]:
    """Return all ways in which gradients can meet the others, each a list of a row per gradient."""
    rows = [permutations(j for j in range(losses) if j != i) for i in range(losses)]
    return [[list(row) for row in choice] for choice in product(*rows)]


def any_of(*values: Any) -> Values:
    """Return the same values for any number of losses."""
    return lambda losses: values
