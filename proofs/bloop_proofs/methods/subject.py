"""An implementation of a method, called on NumPy cases whatever framework it is written in."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.frameworks import Framework
from bloop_proofs.methods.method import Method
from bloop_proofs.subject import ProtocolError, Step, called, describe, returned_gradient


@dataclass(frozen=True)
class Answer:
    """A direction: as NumPy arrays of their own dtypes, and as the very arrays that came."""

    direction: Gradient
    raw: Sequence[Any] = field(repr=False)


@dataclass(frozen=True)
class MethodSubject:
    """A step of a method and the framework whose arrays it takes.

    A case has ``gradients``, those of the last step, [g_main, g_aux, ...]; for methods with a state
    ``earlier``, the same of the steps before, from none on; and the options.
    """

    step: Step
    framework: Framework
    method: Method

    @cached_property
    def takes(self) -> frozenset[str]:
        """The optional arguments that the step takes."""
        try:
            parameters = inspect.signature(self.step).parameters.values()
        except (TypeError, ValueError):
            return frozenset()
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return frozenset(self.method.optional)
        return frozenset(self.method.optional) & {parameter.name for parameter in parameters}

    def seen(self, case: Case) -> Case:
        """Return a case as the step sees it: what it does not take has its usual value."""
        usual = {name: value for name, (_, value) in self.method.optional.items()}
        return case.but(**{name: value for name, value in usual.items() if name not in self.takes})

    def of(self, case: Case, **changes: Any) -> Answer:
        """Run the steps of a case, some of its inputs changed; return the last answer."""
        return self.all(case, **changes)[-1]

    def all(self, case: Case, **changes: Any) -> list[Answer]:
        """Run the steps of a case, some of its inputs changed."""
        changed = case.but(**changes)
        return self.run(self.arrays(changed), changed)

    def arrays(self, case: Case) -> list[list[list[Any]]]:
        """Return the gradients of all steps as new arrays of the subject's framework."""
        return [
            [[self.framework.array(leaf) for leaf in gradient] for gradient in step]
            for step in steps_of(case)
        ]

    def run(self, steps: Sequence[list[list[Any]]], case: Case) -> list[Answer]:
        """Run some steps from no state, with the options of a case."""
        names = {*self.method.options, *self.takes}
        options = {name: case[name] for name in names}
        state: Any = None
        answers = []
        for gradients in steps:
            if self.method.stateful:
                found, state = self._pair(called(self.step, gradients, state, **options))
            else:
                found = called(self.step, gradients, **options)
            required = f"step must return {self._returned}"
            direction = returned_gradient(
                self.framework, required, "direction", found, "gradients[0]", gradients[0]
            )
            answers.append(Answer(direction, found))
        return answers

    @property
    def _returned(self) -> str:
        return "a pair (direction, state)" if self.method.stateful else "a direction"

    def _pair(self, returned: Any) -> tuple[Any, Any]:
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise ProtocolError(f"step must return {self._returned}; found {describe(returned)}")
        return returned[0], returned[1]


def steps_of(case: Case) -> list[list[Gradient]]:
    """Return the gradients of all steps of a case."""
    return [*case.get("earlier", []), case.gradients]


def on_all(case: Case, change: Any) -> Case:
    """Return a case with a change made to every list of gradients of a step."""
    changed = [change(step) for step in steps_of(case)]
    more = {"earlier": changed[:-1]} if "earlier" in case else {}
    return case.but(gradients=changed[-1], **more)
