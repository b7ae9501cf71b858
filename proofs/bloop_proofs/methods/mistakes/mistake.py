"""What a catalogued mistake of a method is, and how one is made of a few lines of code."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.laws.invariances import unflatten
from bloop_proofs.methods.method import Method
from bloop_proofs.methods.registry import METHODS
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.subject import Step, flat

Plain = Callable[..., Any]
"""A step on the rows of a float64 matrix, with the state before the options if there is one."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MethodMistake(Mistake):
    """A wrong implementation of a method that people have written; see ``Mistake``.

    Example:
        >>> from bloop_proofs.methods.mistakes import METHOD_MISTAKES
        >>> mistake = METHOD_MISTAKES["pcgrad"][0]
        >>> mistake.name
        'projects-without-a-conflict'
        >>> mistake.mend
        'Project only where the inner product is negative.'
        >>> mistake.witness
        Case(gradients=[[array([1.])], [array([1.])]], orders=[[1], [0]], lam=1.0)
    """

    method: Method

    @cached_property
    def witness(self) -> Case:
        """The smallest input that tells this mistake from a right step."""
        from bloop_proofs.methods.mistakes.witness import smallest  # which compares mistakes

        return smallest(self)


def step_of(plain: Plain, method: Method) -> Step:
    """Return a step of the protocol that computes in float64, on long vectors."""

    def stateless(gradients: Sequence[Gradient], **options: Any) -> Gradient:
        return unflatten(plain(_matrix(gradients), **options), gradients[0])

    def stateful(gradients: Sequence[Gradient], state: Any, **options: Any) -> Any:
        direction, state = plain(_matrix(gradients), state, **options)
        return unflatten(direction, gradients[0]), state

    return stateful if method.stateful else stateless


def _matrix(gradients: Sequence[Gradient]) -> np.ndarray:
    return np.array([flat(gradient) for gradient in gradients])


def wrong(
    name: str, *, where: str, mend: str, remembers: bool = False
) -> Callable[[Plain], MethodMistake]:
    """Make a mistake of a named method of a plain step that is wrong."""
    method = METHODS[name]

    def decorate(plain: Plain) -> MethodMistake:
        step = step_of(plain, method)
        return MethodMistake(
            name=plain.__name__.replace("_", "-"),
            group="equations",
            statement=" ".join((plain.__doc__ or "").split()),
            where=where,
            mend=mend,
            make=lambda: step,
            remembers=remembers,
            method=method,
        )

    return decorate


def of_modules(name: str, *modules: Any) -> list[MethodMistake]:
    """Return the mistakes of a named method that some modules define, in their order."""
    entries = (entry for module in modules for entry in vars(module).values())
    return [e for e in entries if isinstance(e, MethodMistake) and e.method.name == name]
