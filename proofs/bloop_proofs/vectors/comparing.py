"""Comparing the outputs of one case with the golden ones."""

from bloop_proofs.law import LawViolation
from bloop_proofs.laws.measure import require_close
from bloop_proofs.quiet import silence
from bloop_proofs.vectors.model import Found, Golden, VectorError


def violation(case: Golden, found: Found) -> str:
    """Return what is wrong about the outputs of a case; nothing where they are right."""
    if missing := [name for name in case.outputs if name not in found]:
        raise VectorError(
            f"{case.id} must have {' and '.join(case.outputs)}; found no {missing[0]}"
        )
    for name, required in case.outputs.items():
        for t, (row, bound) in enumerate(zip(required, case.tolerances[name], strict=True)):
            which = f"{name} of step {t + 1}" if len(required) > 1 else name
            try:
                with silence():
                    require_close(which, found[name][t], row, float(bound[0]))
            except LawViolation as broken:
                return str(broken)
    return ""
