"""The types that the signatures speak of."""

from collections.abc import Sequence
from typing import Any, TypeAlias

Array: TypeAlias = Any
"""An array of any library that follows the array API standard, or a NumPy object array."""

Vector: TypeAlias = Any
"""A gradient: an array or any pytree of arrays of one library; a ``None`` leaf is an exact zero."""

Leaves: TypeAlias = tuple[Array | None, ...]
"""The leaves of a vector, in the order of its tree."""

Scalar: TypeAlias = Any
"""A real number: a Python number, a zero-dimensional array, a ``Fraction``, a symbol."""

Schedule: TypeAlias = Any
"""A scalar, or a function from the number of steps taken so far to a scalar."""

Rows: TypeAlias = Sequence[Sequence[Scalar]]
"""A coefficient matrix: one row per output, one column per vector."""
