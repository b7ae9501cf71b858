"""The methods as rows: from inner products to coefficients, nothing about vectors."""

from bloop_ref.surgery.rows.balance import (
    equalised_row,
    magnitude_similarity,
    meta_balance_row,
    norms_of,
)
from bloop_ref.surgery.rows.cagrad import cagrad_row
from bloop_ref.surgery.rows.conflict import grad_vac_row, pcgrad_row
from bloop_ref.surgery.rows.gates import a_gem_row, cosine_gate_row, dynamic_barrier_row, mixed_row
from bloop_ref.surgery.rows.hierarchy import hierarchy_pairs, hierarchy_row
from bloop_ref.surgery.rows.least_norm import mgda_row

__all__ = [
    "a_gem_row",
    "cagrad_row",
    "cosine_gate_row",
    "dynamic_barrier_row",
    "equalised_row",
    "grad_vac_row",
    "hierarchy_pairs",
    "hierarchy_row",
    "magnitude_similarity",
    "meta_balance_row",
    "mgda_row",
    "mixed_row",
    "norms_of",
    "pcgrad_row",
]
