"""Bloop: its laws, the equations first and then what follows, and its known mistakes.

A further group of laws is a module that is named here.
"""

from bloop_proofs.law import Law, laws_in
from bloop_proofs.methods.bloop import (
    equations,
    invariances,
    nonfinite,
    precision,
    purity,
    scales,
    steps,
    training,
)

LAWS: tuple[Law, ...] = laws_in(
    equations, steps, invariances, training, scales, precision, nonfinite, purity
)
"""The ordered catalogue of laws."""
