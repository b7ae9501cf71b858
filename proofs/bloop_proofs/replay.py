"""Running one law on one given input: what a printed counterexample calls."""

from collections.abc import Mapping
from typing import Any

from bloop_proofs.cases import Case
from bloop_proofs.frameworks import Framework, framework_named
from bloop_proofs.law import laws_named
from bloop_proofs.methods import method_named
from bloop_proofs.quiet import silence
from bloop_proofs.subject import Step, Subject


def replay(
    law: str,
    step: Step,
    case: Mapping[str, Any],
    *,
    framework: str = "numpy",
    method: str = "bloop",
) -> None:
    """Judge an implementation by one law on one input.

    Args:
        law: the name of a law.
        step: the implementation, as for ``check_implementation``.
        case: the inputs of the law by name, gradients as lists of the framework's arrays.
        framework: the framework of ``step``.
        method: the method that ``step`` implements, as for ``check_implementation``.

    Raises:
        LawViolation: the law does not hold here; the message says what was required and found.
        StepRaised: the step raised; its own exception is the cause.

    Example:
        >>> import numpy as np
        >>> keeps = lambda g_main, g_aux, ema, *, lam, rho: (g_main, ema)
        >>> one, two = [np.array([1.0])], [np.array([2.0])]
        >>> case = {"g_main": one, "g_aux": one, "ema": two, "lam": 1.0, "rho": 0.0}
        >>> replay("rho-zero-keeps-the-ema", keeps, case)
        >>> replay(  # doctest: +ELLIPSIS
        ...     "rho-one-replaces-the-ema", keeps, {**case, "rho": 1.0}
        ... )
        Traceback (most recent call last):
            ...
        bloop_proofs.law.LawViolation: new_ema must be [1] within ...; found [2], ...
    """
    known = framework_named(framework)
    inputs = Case(**{k: _numpy(v, known) for k, v in case.items()})
    judged = method_named(method)
    (entry,) = laws_named([law], judged.laws)
    with silence():
        entry.check(Subject(step, known, judged.signature), inputs)


def _numpy(value: Any, framework: Framework) -> Any:
    """Return an input with its arrays as NumPy arrays."""
    if isinstance(value, list | tuple):
        return [_numpy(entry, framework) for entry in value]
    return framework.numpy(value) if framework.is_array(value) else value
