"""Naming the mistakes behind wrong outputs, as for a step: what is shown is read from a file."""

from collections.abc import Mapping, Sequence

import numpy as np

from bloop_proofs.methods import METHODS
from bloop_proofs.mistakes.diagnosis import Explanation, explained
from bloop_proofs.mistakes.evidence import Evidence
from bloop_proofs.mistakes.looks import Probe, Probes, Seen, values
from bloop_proofs.notes import grouped
from bloop_proofs.quiet import silence
from bloop_proofs.subject import StepRaised, Subject
from bloop_proofs.vectors.comparing import violation
from bloop_proofs.vectors.model import BESIDE, Found, Golden, Outputs
from bloop_proofs.vectors.running import inputs, run

DTYPES = ("float64", "float32", "complex128", "complex64")
"""Where mistakes are told apart: rounding in half precision hides the differences of many."""
GROUPS = {"bloop": ("steps", "scales")}
"""The groups in which a method's mistakes are told apart, if it is not the one of its name."""
KINDS_OF_STEPS = {"bloop": ("step", "trajectory")}
"""The kinds of cases that a step of a method is run on, if it is not the one of its name."""
ORDINARY = {"SeveralLeaves", "Conflict", "OrderOfLines"}
"""The flags of cases on which the simplest code computes every formula."""


def explanations(
    cases: Sequence[Golden], found: Outputs, wrong: Sequence[Golden]
) -> list[Explanation]:
    """Return the known mistakes that give what was found for the steps of every method."""
    every: list[Explanation] = []
    for name in ("bloop", *BESIDE):
        groups = GROUPS.get(name, (name,))
        steps = [c for c in cases if c.group in groups and c.dtype in DTYPES and c.id in found]
        if any(case in wrong for case in steps):
            with silence():
                every += _explained(name, steps, found)
    return every


def _explained(name: str, steps: Sequence[Golden], found: Outputs) -> list[Explanation]:
    method, seen = METHODS[name], {}
    ordinary: list[Probe] = []
    special: list[Probe] = []
    for case in steps:
        for t, given in enumerate(inputs(case, method.signature)):
            probe = Probe(values, given, method.right)
            seen[probe] = _seen(case, found[case.id], t)
            (ordinary if ORDINARY.issuperset(case.flags) else special).append(probe)
    # a file of outputs shows nothing of a memory of earlier calls
    functions = tuple(mistake for mistake in method.mistakes if not mistake.remembers)
    probes = Probes(tuple(ordinary or special), tuple(special), next(iter(seen)))
    return explained(Evidence(seen, seen.__getitem__), functions, probes)


def _seen(case: Golden, found: Found, t: int) -> Seen:
    """Return outputs as a look at a step shows them, ``None`` where they are not finite."""
    rows = (np.asarray(found[name][t], np.float64) for name in case.outputs)
    return Seen((), tuple(row if np.all(np.isfinite(row)) else None for row in rows))


def by_mistake(
    found: Sequence[Explanation], broken: Mapping[str, Sequence[Golden]]
) -> dict[str, tuple[str, ...]]:
    """Return the broken groups by the mistake of the first explanation that breaks them, "" none.

    ``broken`` holds the wrong cases of every group and dtype.
    """
    mistakes = found[0].mistakes if found else ()
    method = mistakes[0].method if mistakes else METHODS["bloop"].signature

    def breaks_as_well(subject: Subject, name: str, case: Golden) -> bool:
        if case.kind not in KINDS_OF_STEPS.get(method.name, (method.name,)):
            return False
        try:
            return bool(violation(case, run(subject, case)))
        except StepRaised:
            return True

    with silence():
        return grouped(method, mistakes, broken, breaks_as_well)
