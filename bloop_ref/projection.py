"""Orthogonal projection: pi(u; v), and pi(u; span) by Gram-Schmidt (sections 2.1 and 2.3)."""

from collections.abc import Sequence
from typing import Any

from bloop_ref._columns import (
    coarsest_spacing,
    combination,
    inner,
    leaf_dtypes,
    quiet,
    wide_dtypes,
)
from bloop_ref._scalars import as_scalar
from bloop_ref._typing import Leaves, Scalar, Vector
from bloop_ref._vectors import Columns, align
from bloop_ref.coefficients import projection_row


@quiet
def project_orthogonal(
    vector: Vector, *span: Vector, rank_tolerance: Scalar | None = None
) -> Vector:
    """Return pi(vector; span), the part of a vector that is orthogonal to every vector of a span.

    For one vector, pi(u; v) = u - <u, v> / ||v||^2 v, and pi(u; 0) = u. For several, each is first
    made orthogonal to those before it (Gram-Schmidt, every projection done twice), and one that
    then has no more than ``rank_tolerance`` of its norm left adds nothing to the span. The inner
    product runs over all leaves together. No epsilon is added anywhere.

    Args:
        vector: a pytree of arrays; ``None`` is zero.
        *span: pytrees of the structure, shapes and library of ``vector``.
        rank_tolerance: a number in [0, 1]; by default 32 times the spacing at 1 of the coarsest
            leaf dtype, well above what rounding the entries of dependent vectors leaves.

    Returns:
        A vector with the dtypes of ``vector``.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: structures, shapes or devices differ, or the tolerance is out of range.

    Example:
        >>> import numpy as np
        >>> project_orthogonal(np.array([2.0, 3.0]), np.array([0.0, 4.0]))
        array([2., 0.])

    Source: the projection of eq. 3 and footnote 1; for several vectors section 2.3.
    """
    columns = align(vector=vector, **{f"span[{i}]": v for i, v in enumerate(span)})
    basis = Basis(columns, rank_tolerance)
    leaves, *references = columns.leaves
    dtypes = leaf_dtypes(columns)
    if len(span) == 1:  # rounded once
        return columns.unflatten(project(columns, dtypes))
    for reference in references:
        basis.extend(reference)
    part = columns.of(basis.remove_from(leaves))
    return columns.unflatten(combination(part, (1,), dtypes=dtypes))


def project(columns: Columns, dtypes: Sequence[Any]) -> Leaves:
    """Return pi(u; v) for the columns (u, v), in the given leaf dtypes."""
    row = projection_row(inner(columns, 0, 1), inner(columns, 1, 1))
    unit, _ = columns.units  # pi(u; v) is blind to the scale of v
    return combination(columns, row, units=(unit, unit), dtypes=dtypes)


class Basis:
    """An orthogonal basis, in wide arithmetic, of a span that grows vector by vector."""

    def __init__(self, columns: Columns, rank_tolerance: Scalar | None) -> None:
        """Prepare for vectors like the given columns; the span is {0}."""
        self.like = columns
        self.vectors: list[Leaves] = []
        self.dtypes = wide_dtypes(columns)
        self.tolerance = 32 * coarsest_spacing(columns)
        if rank_tolerance is not None:
            self.tolerance = as_scalar("rank_tolerance", rank_tolerance, columns, most=1)

    def remove_from(self, vector: Leaves) -> Leaves:
        """Return the part of a vector orthogonal to the span."""
        # one pass leaves rounding errors along the basis; a second one removes them
        for direction in self.vectors * 2:
            vector = project(self.like.of(vector, direction), self.dtypes)
        return vector

    def extend(self, vector: Leaves) -> None:
        """Add a vector to the span, unless it lies there within the tolerance."""
        residual = self.remove_from(vector)
        if self.vectors and self.like.wide is not None:
            columns, xp = self.like.of(residual, vector), self.like.xp
            unit, unit_before = columns.units
            left, before = (xp.sqrt(inner(columns, j, j)) for j in (0, 1))
            least = self.tolerance * before * (unit_before / unit)
            # NaN compares false, and so is kept and seen
            kept = xp.where(left <= least, xp.zeros_like(left), xp.ones_like(left))
            residual = combination(columns, (kept, 0), dtypes=self.dtypes)
        self.vectors.append(residual)
