"""The two primitives as kernels: one reduction and one elementwise pass over each leaf.

A vector is here a sequence of real arrays. Kernels are compiled on first use.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import cupy as cp

from bloop_ref._typing import Array, Rows, Scalar

Leaves = Sequence[Array]


@cache
def _products() -> Any:
    """Return the kernel for <x, y> and ||y||^2 together, a float64 pair in one complex number."""
    return cp.ReductionKernel(
        "X x, Y y",
        "complex128 sums",
        "complex<double>("
        "static_cast<double>(x) * static_cast<double>(y), "
        "static_cast<double>(y) * static_cast<double>(y))",
        "a + b",
        "sums = a",
        "0",
        "bloop_products",
    )


@cache
def _combination() -> Any:
    """Return the kernel for both outputs; reading comes first, so they may overwrite inputs."""
    return cp.ElementwiseKernel(
        "G g, A a, E e, W main, W aux, W ema, W new_main, W new_ema",
        "D direction, N average",
        """
        const W x = static_cast<W>(g), y = static_cast<W>(a), z = static_cast<W>(e);
        direction = static_cast<D>(main * x + aux * y + ema * z);
        average = static_cast<N>(new_main * x + new_ema * z);
        """,
        "bloop_combination",
    )


def inner_products(g_aux: Leaves, ema: Leaves) -> tuple[Scalar, Scalar]:
    """Return <g_aux, e> and ||e||^2 over all leaves, summed in float64, as arrays on the device."""
    sums = [_products()(x, y) for x, y in zip(g_aux, ema, strict=True) if x.size]
    total = cp.sum(cp.stack(sums)) if sums else cp.zeros((), cp.complex128)
    return total.real, total.imag


def combine(rows: Rows, vectors: Sequence[Leaves], out: Sequence[Leaves]) -> None:
    """Write the two linear combinations of (g_main, g_aux, e) whose coefficients the rows are.

    The second one has no coefficient for g_aux. Outputs may be inputs.
    """
    (main, aux, ema), (new_main, _, new_ema) = rows
    for leaves in zip(*vectors, *out, strict=True):
        if leaves[0].size:
            work = working_dtype(leaves[:3])
            weights = (cp.asarray(c, work) for c in (main, aux, ema, new_main, new_ema))
            _combination()(*leaves[:3], *weights, *leaves[3:])


def working_dtype(leaves: Leaves) -> Any:
    """Return the dtype to compute in: float64 if any leaf has it, else float32."""
    return cp.float64 if any(x.dtype == cp.float64 for x in leaves) else cp.float32
