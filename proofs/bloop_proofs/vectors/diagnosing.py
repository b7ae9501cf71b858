"""Naming the mistake behind wrong outputs: a known one that gives the same on every step."""

from collections.abc import Sequence

from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.methods import METHODS
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.quiet import silence
from bloop_proofs.report import Diagnosis
from bloop_proofs.subject import ProtocolError, StepRaised, Subject
from bloop_proofs.vectors.comparing import alike, violation
from bloop_proofs.vectors.model import BESIDE, Golden, Outputs
from bloop_proofs.vectors.running import run

DTYPES = ("float64", "float32", "complex128", "complex64")
"""Where mistakes are told apart: rounding in half precision hides the differences of many."""
GROUPS = {"bloop": ("steps", "scales")}
"""The groups in which a method's mistakes are told apart, if it is not the one of its name."""


def explanations(
    cases: Sequence[Golden], found: Outputs, wrong: Sequence[Golden]
) -> tuple[Diagnosis, ...]:
    """Return the known mistakes that give what was found for all steps of one dtype, by method.

    It is the first dtype with a wrong step. Of the steps that a mistake gets wrong, most must be
    wrong here: a mistake of rounding resembles all that is nearly right.
    """
    wrong_ids = {case.id for case in wrong}
    diagnoses: list[Diagnosis] = []
    with silence():
        for method in (METHODS[name] for name in ("bloop", *BESIDE)):
            groups = GROUPS.get(method.signature.name, (method.signature.name,))
            of = [c for c in cases if c.group in groups and c.dtype in DTYPES and c.id in found]
            dtype = next((case.dtype for case in of if case.id in wrong_ids), None)
            steps = [case for case in of if case.dtype == dtype]
            diagnoses += (
                Diagnosis(mistake.name, mistake.where, mistake.mend)
                for mistake in method.mistakes
                if steps and _explains(mistake, steps, found, wrong_ids)
            )
    return tuple(diagnoses)


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
