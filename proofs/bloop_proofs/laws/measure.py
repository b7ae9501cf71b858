"""Comparing what a subject returned with what a law requires, within the derived bounds."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import LawViolation
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
        shown, seen = _shown(required, found)
        like = f", {shown}" if np.all(np.isfinite(required)) else ""
        raise LawViolation(f"{what} must be finite{like}; found {seen}", math.inf)
    distance = norm(found - required)
    if not distance <= bound:  # printing vectors costs more than comparing them
        shown, seen = _shown(required, found)
        raise LawViolation(
            f"{what} must be {shown} within {bound:.3g}; "
            f"found {seen}, at a distance of {distance:.3g}",
            distance / bound if bound else math.inf,
        )


def require_small(what: str, found: float, bound: float) -> None:
    """Raise unless a number is 0 within a bound."""
    if not abs(found) <= bound:
        raise LawViolation(
            f"{what} must be 0 within {bound:.3g}; found {found:.6g}",
            abs(found) / bound if bound and found == found else math.inf,
        )


MOST = 6
"""So many entries of a vector are shown."""


def _shown(required: np.ndarray, found: np.ndarray) -> tuple[str, str]:
    """Return two vectors that differ, where they do and with the digits that it takes to see it.

    Example:
        >>> _shown(np.array([0.0, 2.0]), np.array([0.0, 2.0000001]))
        ('[0, 2]', '[0, 2.0000001]')
        >>> _shown(np.zeros(9), np.eye(9)[7])
        ('[..., 0, 0, 0, 0, 0, 0]', '[..., 0, 0, 0, 0, 1, 0]')
    """
    start = 0
    apart = np.flatnonzero(~(np.abs(found - required) <= 0))
    if apart.size and apart[0] >= MOST:
        farthest = int(np.argmax(np.nan_to_num(np.abs(found - required), nan=np.inf)))
        start = min(farthest, required.size - MOST)
    for digits in range(6, 18):
        shown, seen = _show(required, start, digits), _show(found, start, digits)
        if shown != seen:
            break
    return shown, seen


def _show(vector: np.ndarray, start: int, digits: int) -> str:
    entries = [f"{x:.{digits}g}" for x in vector[start : start + MOST]]
    before, after = start > 0, start + MOST < vector.size
    return f"[{', '.join([*['...'] * before, *entries, *['...'] * after])}]"
