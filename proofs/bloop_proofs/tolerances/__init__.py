"""How far a right implementation can be from the exact answer: every bound the suite uses.

Each bound is a worst case over orders of operations, in the dtype of the gradients: any way of
summing n products errs by at most n u times the product of the norms (u the unit roundoff), and
nothing here is found by trial. ``n`` is the number of entries of all leaves together.
"""

from bloop_proofs.tolerances.methods import (
    GRANTED,
    ITERATIONS,
    conflict_averse_bound,
    conflict_averse_excess,
    conflict_averse_length,
    frank_wolfe_bound,
    modulation_error,
    product_error,
    row_rounding,
)
from bloop_proofs.tolerances.steps import (
    SLACK,
    average_bound,
    direction_bound,
    likeness_bound,
    norm,
    rounding,
    safe_exponent,
    underflow_bound,
    unit_roundoff,
)

__all__ = [
    "GRANTED",
    "ITERATIONS",
    "SLACK",
    "average_bound",
    "conflict_averse_bound",
    "conflict_averse_excess",
    "conflict_averse_length",
    "direction_bound",
    "frank_wolfe_bound",
    "likeness_bound",
    "modulation_error",
    "norm",
    "product_error",
    "rounding",
    "row_rounding",
    "safe_exponent",
    "underflow_bound",
    "unit_roundoff",
]
