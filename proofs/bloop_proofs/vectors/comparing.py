"""Comparing the outputs of one case with the golden ones, and with those of a known mistake."""

import numpy as np

from bloop_proofs.law import LawViolation
from bloop_proofs.laws.measure import require_close
from bloop_proofs.quiet import silence
from bloop_proofs.tolerances import likeness_bound, norm
from bloop_proofs.vectors.formats import FORMATS
from bloop_proofs.vectors.model import BESIDE, Found, Golden, VectorError


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


def alike(case: Golden, given: Found, found: Found, unit: float) -> bool:
    """Whether the outputs of steps are the same up to rounding with a given unit roundoff."""
    u = max(unit, FORMATS[case.dtype].roundoff)
    if case.kind in BESIDE:
        sizes = np.cumsum([sum(map(norm, step)) for step in case.steps]).tolist()
    else:
        main, aux = case.inputs["g_main"], case.inputs["g_aux"]
        lam = case.inputs["lam"].item()
        sizes = [norm(m) + lam * norm(a) for m, a in zip(main, aux, strict=True)]
    return all(
        _alike(np.asarray(given[name][t]), found[name][t], u, size)
        for name in case.outputs
        for t, size in enumerate(sizes)
    )


def _alike(given: np.ndarray, found: np.ndarray, u: float, size: float) -> bool:
    finite = np.isfinite(given)
    if not np.array_equal(given[~finite], found[~finite], equal_nan=True):
        return False
    bound = likeness_bound(u, given.size, size + norm(given[finite]))
    return norm(given[finite] - found[finite]) <= bound
