"""SciPy's BLAS where it is installed: a multiple is added in one sweep, by all cores at once."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

CORES = 1 << 19
"""Entries that all cores work on at a time: what a step touches of them stays in cache."""

Routines = tuple[Callable[..., Any], Callable[..., Any]]


@cache
def routines(dtype: np.dtype[Any]) -> Routines | None:
    """Return ``scal(a, x)`` and ``axpy(x, y, a=a)``, which write to their last array, or ``None``.

    Neither is to be given a = 0, which may leave NaN unread.
    """
    try:
        from scipy.linalg import blas
    except ImportError:
        return None
    return {"f": (blas.sscal, blas.saxpy), "d": (blas.dscal, blas.daxpy)}[dtype.char]
