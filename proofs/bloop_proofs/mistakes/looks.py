"""Ways to look at a step, so that two steps can be compared by what they show."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.mistakes.pieces import right
from bloop_proofs.subject import ProtocolError, StepRaised, Subject, flat
from bloop_proofs.tolerances import likeness_bound, norm, unit_roundoff

VECTORS = ("g_main", "g_aux", "ema")
RIGHT = Subject(right, FRAMEWORKS["numpy"])


@dataclass(frozen=True)
class Seen:
    """What a look at a step showed.

    ``words`` are equal or not. The other two are long vectors that lie near one another or not:
    made of directions and of EMAs, or ``None`` where not finite.
    """

    words: tuple[Any, ...]
    direction: np.ndarray | None = None
    average: np.ndarray | None = None


Look = Callable[[Any, Case], Seen]


@dataclass(frozen=True, eq=False)
class Probe:
    """A look at what a step makes of one input."""

    look: Look
    case: Case

    def played(self, mistake: Any) -> Any:
        """Return a mistake as a subject; a right step for ``None``."""
        return Subject(mistake.step, RIGHT.framework) if mistake else RIGHT

    def at(self, subject: Any) -> Seen:
        """Look at a subject; that it raises is a thing to see too."""
        try:
            return self.look(subject, self.case)
        except (StepRaised, ProtocolError) as error:
            return Seen((type(error).__name__,))

    @cached_property
    def _bounds(self) -> tuple[float, float, float, float, int]:
        """The norms that outputs are made of, the unit roundoffs, and the number of entries."""
        c = self.case
        main, aux, ema = (norm(finite_part(c[name])) for name in VECTORS)
        u = unit_roundoff(c.g_main, c.g_aux, c.ema)
        # a gradient of a coarser dtype may have been rounded on its way into the EMA
        kept = max(unit_roundoff(c.ema), c.rho * unit_roundoff(c.g_main))
        return main + c.lam * aux, main + ema, u, kept, flat(c.ema).size

    def alike(self, found: Seen, known: Seen, unit: float = 0.0) -> bool:
        """Whether two looks showed the same, up to rounding, of a given unit roundoff at least."""
        if found.words != known.words:
            return False
        given, averaged, u, kept, n = self._bounds
        return _near(found.direction, known.direction, max(unit, u), n, given) and _near(
            found.average, known.average, max(unit, kept), n, averaged
        )


def _near(
    found: np.ndarray | None, known: np.ndarray | None, u: float, n: int, size: float
) -> bool:
    if found is None or known is None or found.shape != known.shape:
        return found is known is None
    return norm(found - known) <= likeness_bound(u, n, size + norm(known))


def finite_part(gradient: Gradient) -> np.ndarray:
    """Return the finite entries of a gradient."""
    vector = flat(gradient)
    return np.asarray(vector[np.isfinite(vector)])


def finite_vector(gradient: Gradient) -> np.ndarray | None:
    """Return a gradient as one long vector, ``None`` where it is not finite."""
    vector = flat(gradient)
    return vector if np.all(np.isfinite(vector)) else None


def values(subject: Subject, case: Case) -> Seen:
    """Look at the entries of the outputs."""
    output = subject.of(case)
    return Seen((), finite_vector(output.direction), finite_vector(output.new_ema))


def form(subject: Subject, case: Case) -> Seen:
    """Look at the shapes and dtypes of the outputs."""
    output = subject.of(case)
    leaves = (*output.direction, *output.new_ema)
    return Seen(tuple((leaf.shape, leaf.dtype.name) for leaf in leaves))


def memory(subject: Subject, case: Case) -> Seen:
    """Look at what the inputs are afterwards, and at what shares memory with what."""
    given = {name: subject.arrays(case[name]) for name in VECTORS}
    output = subject.run(*given.values(), lam=case.lam, rho=case.rho)
    now = {name: _numpy(subject, arrays) for name, arrays in given.items()}
    subject.of(case, g_main=case.g_aux, g_aux=case.g_main)
    words = [
        f"{name} written later"
        for name, raw in zip(("direction", "new_ema"), output.raw, strict=True)
        if _changed(subject, raw, getattr(output, name))
    ]
    watched = {**given, "new_ema": output.raw[1]}
    before = {**now, "new_ema": output.new_ema}
    for name, raw in zip(("direction", "new_ema"), output.raw, strict=True):
        for leaf in raw:
            if getattr(leaf, "ndim", 0):
                subject.framework.overwrite(leaf)
        watched.pop(name, None)
        for other, arrays in watched.items():
            if _changed(subject, arrays, before[other]):
                words.append(f"{name} shares {other}")
        before.update({other: _numpy(subject, arrays) for other, arrays in watched.items()})
    return Seen(
        tuple(words), finite_vector(now["g_main"] + now["g_aux"]), finite_vector(now["ema"])
    )


def _numpy(subject: Subject, arrays: Any) -> Gradient:
    return [subject.framework.numpy(leaf) for leaf in arrays]


def _changed(subject: Subject, arrays: Any, before: Gradient) -> bool:
    return not all(map(np.array_equal, _numpy(subject, arrays), before))


def history(subject: Subject, case: Case) -> Seen:
    """Look at what the outputs depend on: on earlier calls, on chance, on each argument."""
    repeats = [subject.of(case) for _ in range(6)][1:]
    subject.of(case, g_main=case.g_aux, g_aux=case.g_main)
    later = subject.of(case)
    changes = ({"lam": 2 * case.lam}, {"rho": case.rho / 2}, {"ema": case.g_aux})
    others = [subject.of(case, **change) for change in changes]

    def words(part: str) -> tuple[Any, ...]:
        seen, after, *changed = (
            [flat(getattr(output, part)) for output in outputs]
            for outputs in (repeats, [later], *([output] for output in others))
        )
        along = _parallel(seen[1] - seen[0], flat(case.ema))
        if not _repeat(seen, 1):
            return ("alternates", along) if _repeat(seen, 2) else ("varies", along)
        if not np.array_equal(after[0], seen[0]):
            return ("depends on the call before",)
        return tuple(np.array_equal(vector[0], seen[0]) for vector in changed)

    direction, average = words("direction"), words("new_ema")
    if average[0] in ("varies", "depends on the call before"):
        # a memory of main gradients: how it shows in the direction depends on what they were
        return Seen(("remembers", all(word in (True, False) for word in direction)))
    return Seen((direction, average))


def _repeat(seen: list[np.ndarray], period: int) -> bool:
    return all(map(np.array_equal, seen, seen[period:]))


def _parallel(difference: np.ndarray, direction: np.ndarray) -> bool:
    """Whether two vectors are parallel, as far as single precision can tell."""
    across = difference - (difference @ direction) / (direction @ direction) * direction
    return norm(across) <= 2.0**-10 * norm(difference)
