"""Bloop: the reference implementation, on any array library.

Hsieh, Thornton, Ndiaye, Klein, Cuturi, Ablin: "Careful with that Scalpel: Improving Gradient
Surgery with an EMA", ICML 2024, arXiv 2402.02998. Equation and section numbers in this package are
those of version 2 of that paper.
"""

from bloop_ref import ire, surgery
from bloop_ref.bloop import Bloop, BloopState
from bloop_ref.direction import Diagnostics, bloop_direction, diagnostics
from bloop_ref.ema import update_ema
from bloop_ref.hierarchy import (
    HierarchicalBloop,
    HierarchicalBloopState,
    hierarchical_direction,
)
from bloop_ref.linear import combine, inner_products
from bloop_ref.projection import project_orthogonal

__version__ = "0.1.0"

__all__ = [
    "Bloop",
    "BloopState",
    "Diagnostics",
    "HierarchicalBloop",
    "HierarchicalBloopState",
    "bloop_direction",
    "combine",
    "diagnostics",
    "hierarchical_direction",
    "inner_products",
    "ire",
    "project_orthogonal",
    "surgery",
    "update_ema",
]
