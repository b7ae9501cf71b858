"""Naming the mistake behind wrong outputs: a known one that gives the same on every step."""

from collections.abc import Sequence

from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.methods import BLOOP
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.quiet import silence
from bloop_proofs.report import Diagnosis
from bloop_proofs.subject import ProtocolError, StepRaised, Subject
from bloop_proofs.vectors.comparing import alike, violation
from bloop_proofs.vectors.model import Golden, Outputs
from bloop_proofs.vectors.running import run

DTYPES = ("float64", "float32", "complex128", "complex64")
"""Where mistakes are told apart: rounding in half precision hides the differences of many."""


def explanations(
    cases: Sequence[Golden], found: Outputs, wrong: Sequence[Golden]
) -> tuple[Diagnosis, ...]:
    """Return the known mistakes that give what was found for all single steps of one dtype.

    It is the first dtype with a wrong step. Of the steps that a mistake gets wrong, most must be
    wrong here: a mistake of rounding resembles all that is nearly right.
    """
    wrong_ids = {case.id for case in wrong}
    groups = ("steps", "scales")
    dtype = next((c.dtype for c in wrong if c.group in groups and c.dtype in DTYPES), None)
    steps = [c for c in cases if c.group in groups and c.dtype == dtype and c.id in found]
    with silence():
        return tuple(
            Diagnosis(mistake.name, mistake.where, mistake.mend)
            for mistake in BLOOP.mistakes
            if steps and _explains(mistake, steps, found, wrong_ids)
        )


def _explains(
    mistake: Mistake, steps: Sequence[Golden], found: Outputs, wrong_ids: set[str]
) -> bool:
    shared = alone = 0
    for case in steps:
        try:
            outputs = run(Subject(mistake.step, FRAMEWORKS["numpy"], mistake.method), case)
        except (StepRaised, ProtocolError):
            return False
        if not alike(case, outputs, found[case.id], mistake.unit):
            return False
        if violation(case, outputs):
            shared += case.id in wrong_ids
            alone += case.id not in wrong_ids
    return shared > alone
