"""The array type of this package, and seeded orthogonal matrices."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
"""A NumPy array: of float64, or of objects that are ``fractions.Fraction``."""

UNIT_ROUNDOFF = float(np.finfo(np.float64).eps) / 2
"""That of float64."""


def orthogonal(generator: np.random.Generator, p: int) -> Array:
    """Return an orthogonal (p, p) matrix, drawn from the uniform (Haar) distribution."""
    q, r = np.linalg.qr(generator.standard_normal((p, p)))
    # without the signs the distribution would depend on the conventions of the factorisation
    return np.asarray(q * np.sign(np.diag(r)))
