"""Bloop: the reference implementation, on any array library.

Hsieh, Thornton, Ndiaye, Klein, Cuturi, Ablin: "Careful with that Scalpel: Improving Gradient
Surgery with an EMA", ICML 2024, arXiv 2402.02998. Equation and section numbers in this package are
those of version 2 of that paper.
"""

from bloop_ref import ire, surgery
from bloop_ref.bloop import Bloop, bloop_direction, update_ema
from bloop_ref.diagnostics import Diagnostics, diagnostics
from bloop_ref.driver import State
from bloop_ref.gramian import Gramian
from bloop_ref.hierarchy import HierarchicalBloop, hierarchical_direction
from bloop_ref.linear import combine, inner_products
from bloop_ref.projection import project_orthogonal

__version__ = "0.1.0"

__all__ = [
    "Bloop",
    "Diagnostics",
    "Gramian",
    "HierarchicalBloop",
    "State",
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
