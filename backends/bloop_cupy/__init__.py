"""Bloop on CuPy: two fused kernels a leaf and step, pure or in place, nothing read by the host.

The formulas are those of ``bloop_ref``; this package holds two fast primitives and nothing else.
"""

from bloop_cupy.kernels import combine, inner_products
from bloop_cupy.steps import step

__all__ = ["combine", "inner_products", "step"]
