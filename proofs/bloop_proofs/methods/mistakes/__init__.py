"""Known mistakes of every method, each with its mend."""

from bloop_proofs.methods.mistakes import balance, conflict, gates, least_norm, sam_gs, vaccine
from bloop_proofs.methods.mistakes.common import common
from bloop_proofs.methods.mistakes.mistake import MethodMistake, of_modules
from bloop_proofs.methods.mistakes.probes import probes_for
from bloop_proofs.methods.registry import METHODS
from bloop_proofs.methods.subject import MethodSubject
from bloop_proofs.mistakes.diagnosis import explanations
from bloop_proofs.report import Diagnosis

__all__ = ["METHOD_MISTAKES", "MethodMistake", "diagnose_method"]

METHOD_MISTAKES: dict[str, tuple[MethodMistake, ...]] = {
    name: (
        *of_modules(name, gates, conflict, vaccine, least_norm, balance, sam_gs),
        *common(method),
    )
    for name, method in METHODS.items()
}
"""The catalogue: of every method its own mistakes first, then those that all can make."""


def diagnose_method(subject: MethodSubject, *, seed: int) -> tuple[Diagnosis, ...]:
    """Return the known mistakes that reproduce what a subject returns, the most likely first."""
    framework = subject.framework
    probes = probes_for(
        subject.method, subject.takes, framework.dtypes(), not framework.immutable, seed
    )
    found = explanations(subject, METHOD_MISTAKES[subject.method.name], probes)
    return tuple(Diagnosis(mistake.name, mistake.where, mistake.mend) for mistake in found)
