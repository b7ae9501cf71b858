"""Naming the mistakes behind wrong outputs: known ones that give the same on every step."""

from collections.abc import Sequence

import numpy as np

from bloop_proofs.diagnosis import said
from bloop_proofs.methods import BLOOP
from bloop_proofs.mistakes.diagnosis import explained
from bloop_proofs.mistakes.evidence import Evidence
from bloop_proofs.mistakes.looks import Probe, Probes, Seen, history, values
from bloop_proofs.quiet import silence
from bloop_proofs.report import Diagnosis
from bloop_proofs.vectors.model import Found, Golden, Outputs
from bloop_proofs.vectors.running import first_step

DTYPES = ("float64", "float32", "complex128", "complex64")
"""Where mistakes are told apart: rounding in half precision hides the differences of many."""


def explanations(
    cases: Sequence[Golden], found: Outputs, wrong: Sequence[Golden]
) -> tuple[Diagnosis, ...]:
    """Return the known mistakes behind what was found for all single steps of one dtype.

    It is the first dtype with a wrong step.
    """
    groups = ("steps", "scales")
    dtype = next((c.dtype for c in wrong if c.group in groups and c.dtype in DTYPES), None)
    steps = [c for c in cases if c.group in groups and c.dtype == dtype and c.id in found]
    if not steps:
        return ()
    probes = {Probe(values, first_step(c), BLOOP.right): _seen(c, found[c.id]) for c in steps}
    first = next(iter(probes))
    known = Probes(tuple(probes), (), Probe(history, first.case, first.right))
    with silence():
        evidence = Evidence(probes, probes.__getitem__)
        return tuple(map(said, explained(evidence, BLOOP.mistakes, known)))


def _seen(case: Golden, found: Found) -> Seen:
    """Return outputs as a look at a step shows them, ``None`` where they are not finite."""
    rows = (np.asarray(found[name][0], np.float64) for name in case.outputs)
    return Seen((), tuple(row if np.all(np.isfinite(row)) else None for row in rows))
