"""The first calls of a run, before any law is tried: hundreds on one input.

A subject may do otherwise at its very first calls, or at the five-hundredth. Nobody has called it
before, so both are seen here, and nowhere else for sure: the law that is tried just then may be
about something that the odd call got right.
"""

import contextlib
from collections.abc import Mapping, Sequence

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import Failure, Law, LawViolation
from bloop_proofs.subject import LeafError, StepRaised, Subject

CALLS = 10
"""How many times the first input is repeated for each example of an ordinary law."""


def first_failures(
    subject: Subject, laws: Sequence[Law], *, examples: int
) -> Mapping[str, Failure]:
    """Make the first calls; return by its name the law that they break, if it is to be tried.

    Raises ``ProtocolError`` where the subject does not speak the protocol. What else is wrong at
    the first call breaks laws, each of which will say so.
    """
    case = ordinary(subject)
    for law in laws:
        if law.opens:
            repeated = case.but(calls=CALLS * examples)
            try:
                law.check(subject, repeated)
            except (LawViolation, StepRaised, LeafError) as error:
                return {law.name: Failure(repeated, error)}
            return {}
    with contextlib.suppress(StepRaised, LeafError):
        subject.of(case)
    return {}


def ordinary(subject: Subject) -> Case:
    """Return an input that nothing is special about: who cannot answer it in form is no subject."""
    method = subject.method
    dtype = subject.dtypes[0] if subject.domain.dtypes else "float32"
    entries = ((3.0, 4.0, 1.0), (-2.0, -1.5, -0.5), (2.0, 1.0, -1.0))  # no two are orthogonal
    vectors = [[np.array(v[:2], dtype), np.array([v[2:]], dtype)] for v in entries]
    options = {name: values(2)[0] for name, values in method.choices.items()}
    return Case(**method.packed([vectors[: len(method.vectors) or 2]]), **options)
