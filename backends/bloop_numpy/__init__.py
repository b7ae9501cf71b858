"""Bloop on NumPy at the speed of memory: a pure step, one in place, and what both are made of.

The formulas are those of ``bloop_ref``; this package holds two fast primitives and nothing else.
"""

from bloop_numpy.linear import combine, inner_products
from bloop_numpy.steps import step

__all__ = ["combine", "inner_products", "step"]
