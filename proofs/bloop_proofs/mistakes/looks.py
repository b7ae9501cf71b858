"""Ways to look at a step, so that two steps can be compared by what they show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.domain import OutsideDomain
from bloop_proofs.gradients import same_bits
from bloop_proofs.laws.protocol import another, numpy, overwrite, written_over
from bloop_proofs.mistakes.distances import far, finite_part, finite_vector, near, rounded
from bloop_proofs.mistakes.mistake import Mistake, step_with
from bloop_proofs.signature import Signature
from bloop_proofs.subject import Output, ProtocolError, StepRaised, Subject, flat
from bloop_proofs.tolerances import norm, unit_roundoff

Sizes = tuple[tuple[float, float], ...]
"""For every output the norms that it is made of, and the unit roundoff that it is computed with."""


@dataclass(frozen=True)
class Seen:
    """What a look at a step showed.

    ``words`` are equal or not. ``vectors``, one for each output or none at all, lie near one
    another or not; they are ``None`` where not finite.
    """

    words: tuple[Any, ...]
    vectors: tuple[np.ndarray | None, ...] = ()


Look = Callable[[Subject, Case], Seen]


@dataclass(frozen=True, eq=False)
class Probe:
    """A look at what a step makes of one input, and what a right step is."""

    look: Look
    case: Case
    right: Subject

    def played(self, model: Sequence[Mistake]) -> Subject:
        """Return mistakes made together as a subject; a right step for none."""
        if not model:
            return self.right
        return Subject(step_with(model), self.right.framework, self.right.method)

    def at(self, subject: Subject) -> Seen:
        """Look at a subject; that it raises is a thing to see too."""
        try:
            return self.look(subject, self.case)
        except (StepRaised, ProtocolError, OutsideDomain) as error:
            return Seen((type(error).__name__,))

    @cached_property
    def _sizes(self) -> tuple[Sizes, int]:
        method = self.right.method
        of = method.sizes or sizes_of
        return of(method, self.case), flat(method.steps(self.case)[-1][0]).size

    @property
    def roundoff(self) -> float:
        """The unit roundoff of the direction."""
        return self._sizes[0][0][1]

    def misfits(
        self, found: Seen, known: Seen, right: Seen, exact: Seen | None = None, unit: float = 0.0
    ) -> tuple[float, ...]:
        """Return how far two looks are apart in every output, and in words at last.

        0 is up to rounding, and 1 as far as what is known is from what is right. What is found may
        be rounded with a coarse ``unit``, and be ``exact`` but for that.
        """
        told = len({*known.words} ^ {*right.words})
        apart = len({*known.words} ^ {*found.words})
        words = float(found.words != known.words) * min(1.0, max(apart, 0.5) / (told or 0.5))
        if len(found.vectors) != len(known.vectors):
            return (*(1.0 for _ in known.vectors), words)
        sizes, n = self._sizes
        others, bases = (
            x.vectors if x and len(x.vectors) == len(known.vectors) else known.vectors
            for x in (right, exact)
        )
        rows = zip(found.vectors, known.vectors, others, bases, sizes, strict=False)
        return (
            *(
                0.0
                if near(x, y, u, n, size) or rounded(x, y, base, unit, n, size)
                else far(x, y, z)
                for x, y, z, base, (size, u) in rows
            ),
            words,
        )

    def apart(self, found: Seen, known: Seen) -> float:
        """Return how far what two looks showed lies apart, relative to what it is made of."""
        if found.words != known.words or len(found.vectors) != len(known.vectors):
            return 1.0
        rows = zip(found.vectors, known.vectors, self._sizes[0], strict=False)
        distances = (
            min(1.0, norm(x - y) / size) if x is not None and y is not None and size else 1.0
            for x, y, (size, _) in rows
            if x is not None or y is not None
        )
        return max(distances, default=0.0)

    def alike(self, found: Seen, known: Seen, unit: float = 0.0) -> bool:
        """Whether two looks showed the same, up to rounding, of a given unit roundoff at least."""
        if found.words != known.words or len(found.vectors) != len(known.vectors):
            return False
        sizes, n = self._sizes
        return all(
            near(x, y, max(unit, u), n, size)
            for x, y, (size, u) in zip(found.vectors, known.vectors, sizes, strict=False)
        )


@dataclass(frozen=True)
class Probes:
    """Inputs for a framework.

    On ``ordinary`` ones every formula can be computed by the simplest code, so whoever makes a
    mistake in a formula returns what the mistake returns on all of them. On ``special`` ones simple
    code may fail in its own ways. ``history`` is for steps that are no functions.
    """

    ordinary: tuple[Probe, ...]
    special: tuple[Probe, ...]
    history: Probe

    def within(self, subject: Subject) -> "Probes":
        """Return the inputs that lie in the domain of a subject."""
        outside = Seen((OutsideDomain.__name__,))
        return self.where(lambda probe: probe.at(subject) != outside)

    def where(self, kept: Callable[[Probe], bool]) -> "Probes":
        """Return the inputs that are to be kept."""
        ordinary, special = (tuple(filter(kept, part)) for part in (self.ordinary, self.special))
        return Probes(ordinary, special, self.history)


def sizes_of(method: Signature, case: Case) -> Sizes:
    """Return the sizes of a direction that is made of all gradients."""
    vectors = [vector for step in method.steps(case) for vector in step]
    return ((sum(norm(finite_part(vector)) for vector in vectors), unit_roundoff(*vectors)),)


def values(subject: Subject, case: Case) -> Seen:
    """Look at the entries of the outputs."""
    return Seen((), tuple(map(finite_vector, subject.of(case).vectors.values())))


def form(subject: Subject, case: Case) -> Seen:
    """Look at the shapes and dtypes of the outputs."""
    vectors = subject.of(case).vectors.values()
    return Seen(tuple((leaf.shape, leaf.dtype.name) for vector in vectors for leaf in vector))


def memory(subject: Subject, case: Case) -> Seen:
    """Look at what the inputs are afterwards, and at what shares memory with what."""
    given = subject.arrays(case)
    output = subject.run(given, case)
    names = [subject.method.name_of(i) for i in range(len(given[-1]))]
    now = [numpy(subject, vector) for vector in given[-1]]
    subject.of(another(subject, case))
    words = [
        f"{name} written later"
        for name, raw in output.raw.items()
        if not same_bits(numpy(subject, raw), output.vectors[name])
    ]
    words += _shared(subject, output, dict(zip(names, given[-1], strict=True)))
    if subject.method.stateful:
        apart = written_over(subject).of(case).direction
        if not np.array_equal(flat(apart), flat(output.direction), equal_nan=True):
            words.append("state shares a gradient")
    # an input is made of what the output is that has its form
    starts = [*subject.method.outputs.values(), len(names)]
    parts = ([leaf for vector in now[i:j] for leaf in vector] for i, j in pairwise(starts))
    return Seen(tuple(words), tuple(map(finite_vector, parts)))


def _shared(subject: Subject, output: Output, given: dict[str, Sequence[Any]]) -> list[str]:
    """Return which output shares memory with which input or other output, by writing to it."""
    watched = {**given, **output.raw}
    words = []
    for name, raw in output.raw.items():
        del watched[name]
        before = {other: numpy(subject, arrays) for other, arrays in watched.items()}
        overwrite(subject, raw)
        words += [
            f"{name} shares {other}"
            for other, arrays in watched.items()
            if not same_bits(numpy(subject, arrays), before[other])
        ]
    return words


def history(subject: Subject, case: Case) -> Seen:
    """Look at what the outputs depend on: on earlier calls, on chance, on each argument."""
    repeats = [subject.of(case) for _ in range(6)][1:]
    subject.of(another(subject, case))
    later = subject.of(case)
    others = [subject.of(case, **change) for change in _changes(subject.method, case)]
    aside = flat(subject.method.steps(case)[-1][-1])

    def words(part: str) -> tuple[Any, ...]:
        seen, after, *changed = (
            [flat(output.vectors[part]) for output in outputs]
            for outputs in (repeats, [later], *([output] for output in others))
        )
        along = _parallel(seen[1] - seen[0], aside)
        if not _repeat(seen, 1):
            return ("alternates", along) if _repeat(seen, 2) else ("varies", along)
        if not np.array_equal(after[0], seen[0]):
            return ("depends on the call before",)
        return tuple(np.array_equal(vector[0], seen[0]) for vector in changed)

    first, *more = (words(part) for part in subject.method.outputs)
    if any(other[0] in ("varies", "depends on the call before") for other in more):
        # a memory of main gradients: how it shows in the direction depends on what they were
        return Seen(("remembers", all(word in (True, False) for word in first)))
    return Seen((first, *more))


def _changes(method: Signature, case: Case) -> list[dict[str, Any]]:
    """Return a change of every option, and of the last vector, where vectors have names."""
    if not method.vectors:
        return []
    options = [{name: 2 * case[name]} for name in method.options]
    return [*options, {method.vectors[-1]: case[method.vectors[1]]}]


def _repeat(seen: list[np.ndarray], period: int) -> bool:
    return all(map(np.array_equal, seen, seen[period:]))


def _parallel(difference: np.ndarray, direction: np.ndarray) -> bool:
    """Whether two vectors are parallel, as far as single precision can tell."""
    across = difference - (difference @ direction) / (direction @ direction) * direction
    return norm(across) <= 2.0**-10 * norm(difference)
