"""The implementation under test, called on NumPy cases whatever framework it is written in."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.frameworks import Framework

REQUIRED = "step must return a pair (direction, new_ema)"

Step = Callable[..., Any]
"""``step(g_main, g_aux, ema, *, lam, rho) -> (direction, new_ema)``, gradients lists of arrays."""


class ProtocolError(TypeError):
    """The subject does not speak the protocol, so no law can be judged."""


class LeafError(ProtocolError):
    """A returned leaf has another number of entries, or complex ones for real, or the reverse."""


class StepRaised(Exception):
    """The subject raised instead of returning; its own exception is the cause."""


@dataclass(frozen=True)
class Output:
    """What a step returned: as NumPy arrays of their own dtypes, and as the very arrays it gave."""

    direction: Gradient
    new_ema: Gradient
    raw: tuple[Sequence[Any], Sequence[Any]] = field(repr=False)


@dataclass(frozen=True)
class Subject:
    """A step and the framework whose arrays it takes."""

    step: Step
    framework: Framework

    def __call__(
        self, g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
    ) -> Output:
        """Run a step on fresh copies of NumPy gradients."""
        return self.run(*map(self.arrays, (g_main, g_aux, ema)), lam=lam, rho=rho)

    def of(self, case: Case, **changes: Any) -> Output:
        """Run a step on the inputs of a case, some of them changed."""
        c = case.but(**changes)
        return self(c.g_main, c.g_aux, c.ema, lam=c.lam, rho=c.rho)

    def arrays(self, gradient: Gradient) -> list[Any]:
        """Return a gradient as new arrays of the subject's framework."""
        return [self.framework.array(leaf) for leaf in gradient]

    def run(
        self, g_main: list[Any], g_aux: list[Any], ema: list[Any], *, lam: float, rho: float
    ) -> Output:
        """Run a step on arrays of the framework; raise ``ProtocolError`` unless it returns two."""
        returned = called(self.step, g_main, g_aux, ema, lam=lam, rho=rho)
        direction, new_ema = pair(returned)
        return Output(
            self._gradient("direction", direction, "g_main", g_main),
            self._gradient("new_ema", new_ema, "ema", ema),
            raw=(direction, new_ema),
        )

    def _gradient(self, name: str, found: Any, source: str, like: list[Any]) -> Gradient:
        return returned_gradient(self.framework, REQUIRED, name, found, source, like)


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
    leaves = [framework.numpy(leaf) for leaf in found]
    for i, (leaf, model) in enumerate(zip(leaves, like, strict=True)):
        if _kind(leaf.dtype) == "no":
            raise ProtocolError(f"{name}[{i}] must hold numbers; found dtype {leaf.dtype}")
        if math.prod(leaf.shape) != math.prod(model.shape) or (
            _kind(leaf.dtype) != _kind(model.dtype)
        ):
            raise LeafError(
                f"{name}[{i}] must have {_entries(model)} like {source}[{i}]; "
                f"found {_entries(leaf)}"
            )
    return leaves


def called(step: Step, *arguments: Any, **options: Any) -> Any:
    """Return what a step returns; raise ``StepRaised`` where it raises."""
    try:
        return step(*arguments, **options)
    except ProtocolError:  # an adapter's
        raise
    except (Exception, SystemExit) as error:
        line = " ".join(str(error).split())[:200]
        raise StepRaised(f"step raised {type(error).__name__}: {line}") from error


def pair(returned: Any) -> tuple[Any, Any]:
    """Return what a step returned where it is a pair; raise ``ProtocolError`` where not."""
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        raise ProtocolError(f"{REQUIRED}; found {describe(returned)}")
    return returned[0], returned[1]


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
