"""Bloop on CuPy: two fused passes over all leaves, pure or in place, nothing read by the host.

The formulas are those of ``bloop_ref``; this package holds the fast step and nothing else.
"""

from bloop_cupy.steps import step

__all__ = ["step"]
