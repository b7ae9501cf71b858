"""Comparing the directions of a subject with those that a law requires."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import Group, Inputs, Law
from bloop_proofs.laws.measure import require_close
from bloop_proofs.methods.reference import expected
from bloop_proofs.methods.subject import MethodSubject
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm

MethodCheck = Callable[[MethodSubject, Case], None]


def method_law(
    *,
    equation: str,
    inputs: Inputs,
    group: Group = "paper",
    may_refuse: str = "",
    statement: str = "",
) -> Callable[[MethodCheck], Law]:
    """Make a law of a method: as ``law``, on cases as the step sees them."""

    def decorate(check: MethodCheck) -> Law:
        def seen(subject: Any, case: Case) -> None:
            check(subject, subject.seen(case))

        theorem = " ".join((statement or check.__doc__ or "").split())
        name = check.__name__.replace("_", "-")
        return Law(name, group, equation, theorem, seen, inputs, may_refuse=may_refuse)

    return decorate


def found(subject: MethodSubject, case: Case, **changes: Any) -> np.ndarray:
    """Return the direction of a subject as one long vector."""
    return flat(subject.of(case, **changes).direction)


def bound(subject: MethodSubject, case: Case) -> float:
    """Return how far the direction of a case may be from the exact one."""
    return max(distance for _, distance in expected(subject.method, case))


def require_right(subject: MethodSubject, case: Case) -> None:
    """Raise unless a direction is one of those that are right."""
    direction = found(subject, case)
    first = None
    for known in expected(subject.method, case, near=direction):
        if norm(direction - known[0]) <= known[1]:
            return
        first = first or known
    assert first is not None  # there is one choice of options at least
    require_close("direction", direction, *first)
