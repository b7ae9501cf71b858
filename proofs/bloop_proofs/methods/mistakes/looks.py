"""Ways to look at a step of a method, so that two can be compared by what they show."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.laws.scales import scaled
from bloop_proofs.methods.laws.numerics import written_over
from bloop_proofs.methods.method import Method
from bloop_proofs.methods.mistakes.common import right_step
from bloop_proofs.methods.subject import MethodSubject, steps_of
from bloop_proofs.mistakes.looks import Probe, Seen, finite_part, finite_vector
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import norm, unit_roundoff


@dataclass(frozen=True, eq=False)
class MethodProbe(Probe):
    """A look at what a step of a method makes of one input."""

    method: Method

    def played(self, mistake: Any) -> MethodSubject:
        """Return a mistake of the method as a subject; a right step for ``None``."""
        step = mistake.step if mistake else right_step(self.method)
        return MethodSubject(step, FRAMEWORKS["numpy"], self.method)

    @cached_property
    def _bounds(self) -> tuple[float, float, float, float, int]:
        gradients = [gradient for step in steps_of(self.case) for gradient in step]
        size = sum(norm(finite_part(gradient)) for gradient in gradients)
        u = unit_roundoff(*gradients)
        return size, size, u, u, flat(gradients[0]).size


def values(subject: MethodSubject, case: Case) -> Seen:
    """Look at the entries of the direction."""
    return Seen((), finite_vector(subject.of(case).direction))


def form(subject: MethodSubject, case: Case) -> Seen:
    """Look at the shapes and dtypes of the direction."""
    direction = subject.of(case).direction
    return Seen(tuple((leaf.shape, leaf.dtype.name) for leaf in direction))


def memory(subject: MethodSubject, case: Case) -> Seen:
    """Look at what becomes of the gradients, and at what shares memory with what."""
    given = subject.arrays(case)
    answer = subject.run(given, case)[-1]
    words = []
    if _changed(subject, given[-1], case.gradients):
        words.append("gradients written")
    before = [[subject.framework.numpy(x) for x in gradient] for gradient in given[-1]]
    for leaf in answer.raw:
        if getattr(leaf, "ndim", 0):
            subject.framework.overwrite(leaf)
    if _changed(subject, given[-1], before):
        words.append("direction shares a gradient")
    if subject.method.stateful and not np.array_equal(
        flat(written_over(subject).of(case).direction), flat(answer.direction), equal_nan=True
    ):
        words.append("state shares a gradient")
    return Seen(tuple(words))


def history(subject: MethodSubject, case: Case) -> Seen:
    """Look at whether the direction depends on the calls before."""
    other = case.but(gradients=[scaled(gradient, 1) for gradient in case.gradients])
    first = flat(subject.of(case).direction)
    subject.of(other)
    return Seen((np.array_equal(first, flat(subject.of(case).direction)),))


def _changed(subject: MethodSubject, arrays: Any, before: Any) -> bool:
    now = [[subject.framework.numpy(x) for x in gradient] for gradient in arrays]
    return not all(
        np.array_equal(x, y, equal_nan=True)
        for found, known in zip(now, before, strict=True)
        for x, y in zip(found, known, strict=True)
    )
