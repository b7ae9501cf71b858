"""The implementation under test, called on NumPy cases whatever framework it is written in."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.domain import EVERYTHING, Domain
from bloop_proofs.frameworks import Framework
from bloop_proofs.signature import Signature

Step = Callable[..., Any]
"""A step of a method, as ``Signature.call`` says."""

RAISED = "step raised "
"""How the message begins that says what a step raised."""


class ProtocolError(TypeError):
    """The subject does not speak the protocol, so no law can be judged."""


class LeafError(ProtocolError):
    """A returned leaf has another number of entries, or complex ones for real, or the reverse."""


class StepRaised(Exception):
    """The subject raised instead of returning; its own exception is the cause."""


@dataclass(frozen=True)
class Output:
    """What a step returned: as NumPy arrays of their own dtypes, and as the very arrays it gave."""

    vectors: Mapping[str, Gradient]
    raw: Mapping[str, Sequence[Any]] = field(repr=False)

    @property
    def direction(self) -> Gradient:
        """The direction."""
        return self.vectors["direction"]

    @property
    def new_ema(self) -> Gradient:
        """The new EMA, of a step of Bloop."""
        return self.vectors["new_ema"]


@dataclass(frozen=True)
class Subject:
    """A step, the framework whose arrays it takes, and the method that it implements.

    It is never called on inputs outside of its ``domain``: ``OutsideDomain`` is raised instead.
    """

    step: Step
    framework: Framework
    method: Signature
    domain: Domain = EVERYTHING

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes that the framework has and the domain allows."""
        allowed = self.domain.dtypes
        return tuple(x for x in self.framework.dtypes() if not allowed or x in allowed)

    @cached_property
    def takes(self) -> frozenset[str]:
        """The optional arguments that the step takes."""
        if not self.method.optional:
            return frozenset()
        try:
            parameters = inspect.signature(self.step).parameters.values()
        except (TypeError, ValueError):
            return frozenset()
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            return frozenset(self.method.optional)
        return frozenset(self.method.optional) & {parameter.name for parameter in parameters}

    def seen(self, case: Case) -> Case:
        """Return a case as the step sees it: what it does not take has its usual value."""
        left_out = self.method.optional.keys() - self.takes
        return case.but(**{name: self.method.optional[name][1] for name in left_out})

    def of(self, case: Case, **changes: Any) -> Output:
        """Run the steps of a case, some of its inputs changed; return the last output."""
        changed = case.but(**changes)
        return self.run(self.arrays(changed), changed)

    def arrays(self, case: Case) -> list[list[list[Any]]]:
        """Return the vectors of all steps as new arrays of the subject's framework."""
        return [
            [[self.framework.array(leaf) for leaf in vector] for vector in step]
            for step in self.method.steps(case)
        ]

    def run(self, steps: Sequence[list[list[Any]]], case: Case) -> Output:
        """Run some steps from no state, with the options of a case; return the last output."""
        self.domain.require(self.method, case)
        options = {name: case[name] for name in (*self.method.options, *self.takes)}
        state: Any = None
        for vectors in steps:
            given: list[Any] = [*vectors] if self.method.vectors else [vectors]
            given += [state] if self.method.stateful else []
            found = self._all_of(self._called(given, options))
            state = found.get("state")
            output = self._output(found, vectors)
        return output

    def _called(self, given: list[Any], options: dict[str, Any]) -> Any:
        try:
            return called(self.step, *given, **options)
        except StepRaised as error:
            # only where the call has failed: a decorator may take more than its signature says
            if isinstance(error.__cause__, TypeError) and (why := unfit(self.step, given, options)):
                raise ProtocolError(
                    f"step must take the arguments of {self.method.call}; found one that does not: "
                    f"{why}"
                ) from error
            raise

    @cached_property
    def _required(self) -> str:
        return f"step must return a {'pair ' * (len(self.method.returned) > 1)}{self.method.result}"

    def _all_of(self, returned: Any) -> dict[str, Any]:
        """Return what a step returned by its name; raise where that is not all."""
        names = self.method.returned
        if len(names) == 1:
            return {names[0]: returned}
        # a list of two may be a direction of two leaves, its state forgotten
        pairs = tuple if self.method.stateful else (tuple, list)
        if not isinstance(returned, pairs) or len(returned) != len(names):
            raise ProtocolError(f"{self._required}; found {describe(returned)}")
        return dict(zip(names, returned, strict=True))

    def _output(self, found: Mapping[str, Any], vectors: list[list[Any]]) -> Output:
        raw = {name: found[name] for name in self.method.outputs}
        made = {
            name: returned_gradient(
                self.framework, self._required, name, raw[name], self.method.name_of(i), vectors[i]
            )
            for name, i in self.method.outputs.items()
        }
        return Output(made, raw)


def returned_gradient(
    framework: Framework, required: str, name: str, found: Any, source: str, like: Sequence[Any]
) -> Gradient:
    """Return what was returned as NumPy arrays; raise where it cannot be compared at all.

    It has to be like the arrays ``like`` that were given under the name ``source``; ``required``
    begins the message that says so.
    """
    if not isinstance(found, tuple | list) or len(found) != len(like):
        raise ProtocolError(
            f"{required}, each a list of {len(like)} arrays, one per parameter; "
            f"found {describe(found)} for {name}"
        )
    for i, leaf in enumerate(found):
        if not framework.is_array(leaf):
            raise ProtocolError(
                f"{required}, each a list of {framework.name} arrays; "
                f"found {describe(leaf)} for {name}[{i}]"
            )
    for i, (leaf, model) in enumerate(zip(found, like, strict=True)):
        if _kind(leaf.dtype) == "no":
            raise ProtocolError(f"{name}[{i}] must hold numbers; found dtype {leaf.dtype}")
        if math.prod(leaf.shape) != math.prod(model.shape) or (
            _kind(leaf.dtype) != _kind(model.dtype)
        ):
            raise LeafError(
                f"{name}[{i}] must have {_entries(model)} like {source}[{i}]; "
                f"found {_entries(leaf)}"
            )
    return [framework.numpy(leaf) for leaf in found]  # copies, of what has the right size only


def called(step: Step, *arguments: Any, **options: Any) -> Any:
    """Return what a step returns; raise ``StepRaised`` where it raises."""
    try:
        return step(*arguments, **options)
    except ProtocolError:  # an adapter's
        raise
    except (Exception, SystemExit) as error:
        line = " ".join(str(error).split())[:200]
        raise StepRaised(f"{RAISED}{type(error).__name__}: {line}") from error


def unfit(step: Step, given: Sequence[Any], options: Mapping[str, Any]) -> str:
    """Return why the signature of a step does not let it be called so, "" where it does."""
    try:
        signature = inspect.signature(step)
    except (TypeError, ValueError):
        return ""
    try:
        signature.bind(*given, **options)
    except TypeError as error:
        return str(error)
    return ""


def _entries(array: Any) -> str:
    return f"{math.prod(array.shape)} {_kind(array.dtype)} entries"


@cache
def _kind(dtype: Any) -> str:
    """Return whether numbers of a dtype, of any framework, are real, complex or none."""
    name = str(dtype).removeprefix("torch.")
    if name.startswith("complex"):
        return "complex"
    return "real" if name.startswith(("float", "bfloat", "int", "uint", "bool")) else "no"


def describe(value: Any) -> str:
    """Return the type of a value, and its length where it has one, for an error message."""
    size = f" of {len(value)}" if isinstance(value, tuple | list | dict) else ""
    return f"{type(value).__name__}{size}"


def flat(gradient: Gradient) -> np.ndarray:
    """Return a gradient as one long float64 vector; a complex entry counts as two."""
    parts = [np.ravel(leaf) for leaf in gradient]
    wide = [np.ravel(np.stack([x.real, x.imag], -1)) if x.dtype.kind == "c" else x for x in parts]
    return np.concatenate([np.zeros(0), *(x.astype(np.float64) for x in wide)])
