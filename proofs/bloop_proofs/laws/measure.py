"""Comparing what a subject returned with what a law requires, within the derived bounds."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import LawViolation, require
from bloop_proofs.subject import Output, Subject, flat
from bloop_proofs.tolerances import norm


def found(subject: Subject, case: Case, **changes: Any) -> np.ndarray:
    """Return the direction of a subject as one long vector."""
    return flat(subject.of(case, **changes).direction)


def bounds(subject: Subject, case: Case) -> Mapping[str, float]:
    """Return how far every output of a case may be from the exact one."""
    if subject.method.bounds:
        return subject.method.bounds(case)
    known = list(subject.method.answers(subject.method, case, None))
    return {name: max(answer[name][1] for answer in known) for name in known[0]}


def bound(subject: Subject, case: Case) -> float:
    """Return how far the direction of a case may be from the exact one."""
    return bounds(subject, case)["direction"]


def require_right(subject: Subject, case: Case, output: Output | None = None) -> None:
    """Raise unless the outputs are those of one of the right answers."""
    output = output or subject.of(case)
    vectors = {name: flat(vector) for name, vector in output.vectors.items()}
    first = None
    for answer in subject.method.answers(subject.method, case, vectors["direction"]):
        if all(norm(vectors[name] - known) <= room for name, (known, room) in answer.items()):
            return
        first = first or answer
    assert first is not None  # there is one choice of options at least
    for name, (known, room) in first.items():
        require_close(name, vectors[name], known, room)


def require_form(subject: Subject, output: Output, case: Case) -> None:
    """Raise unless every output has the shapes and dtypes of the protocol, leaf by leaf."""
    given = subject.method.steps(case)[-1]
    for name, place in subject.method.outputs.items():
        for i, (leaf, like) in enumerate(zip(output.vectors[name], given[place], strict=True)):
            for what in ("shape", "dtype"):
                if getattr(leaf, what) != getattr(like, what):
                    raise LawViolation(
                        f"{name}[{i}] must have the {what} of {subject.method.name_of(place)}[{i}],"
                        f" {getattr(like, what)}; found {getattr(leaf, what)}"
                    )


def require_same(
    what: str,
    found: Output,
    required: Mapping[str, np.ndarray],
    room: Mapping[str, float],
    names: Iterable[str] = (),
) -> None:
    """Raise unless outputs, all or those named, lie within a distance of what is required."""
    for name in names or required:
        require_close(
            f"{name} {what}".strip(), flat(found.vectors[name]), required[name], room[name]
        )


def require_close(what: str, found: np.ndarray, required: np.ndarray, bound: float) -> None:
    """Raise unless two vectors lie within a distance."""
    if found.shape != required.shape:
        raise LawViolation(f"{what} must have {required.size} entries; found {found.size}")
    if not np.all(np.isfinite(found)):
        raise LawViolation(f"{what} must be finite, {_show(required)}; found {_show(found)}")
    distance = norm(found - required)
    if not distance <= bound:  # printing vectors costs more than comparing them
        raise LawViolation(
            f"{what} must be {_show(required)} within {bound:.3g}; "
            f"found {_show(found)}, at a distance of {distance:.3g}"
        )


def require_small(what: str, found: float, bound: float) -> None:
    """Raise unless a number is 0 within a bound."""
    require(abs(found) <= bound, f"{what} must be 0 within {bound:.3g}; found {found:.6g}")


def _show(vector: np.ndarray) -> str:
    entries = ", ".join(f"{x:.6g}" for x in vector[:6])
    return f"[{entries}{', ...' if vector.size > 6 else ''}]"
