"""Orthogonal projection: pi(u; v), and pi(u; span) by Gram-Schmidt (sections 2.1 and 2.3)."""

from typing import Any

from bloop_ref.aliases import Leaves, Scalar, Vector
from bloop_ref.arrays import complex_of, kind, quiet
from bloop_ref.linear import combination, gramian
from bloop_ref.scalars import as_scalar, ratio, root, where
from bloop_ref.vectors import Stack, align


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
    stack = align(vector=vector, **{f"span[{i}]": v for i, v in enumerate(span)})
    basis = Basis(stack, rank_tolerance)
    leaves, *references = stack.leaves
    if len(span) == 1:  # rounded once
        return stack.unflatten(_project(stack, stack.dtypes))
    for reference in references:
        basis.extend(reference)
    part = stack.of(basis.remove_from(leaves))
    return stack.unflatten(combination(part, (1,), stack.dtypes))


def _project(stack: Stack, dtypes: Any) -> Leaves:
    """Return pi(u; v) for the stack (u, v), in the given leaf dtypes."""
    gram = gramian(stack, ((0, 1), (1, 1)))
    return combination(stack, (1, -ratio(gram[0, 1], gram[1, 1])), dtypes)


class Basis:
    """An orthogonal basis, in wide arithmetic, of a span that grows vector by vector.

    Projecting vectors knows an angle to the precision of their entries, a Gramian only to the root
    of that of its own.
    """

    def __init__(self, stack: Stack, rank_tolerance: Scalar | None) -> None:
        """Prepare for vectors like those of a stack; the span is {0}."""
        self.like = stack
        self.vectors: list[Leaves] = []
        self.dtypes = [_wide(stack, row) for row in zip(*stack.leaves, strict=True)]
        self.tolerance = 32 * stack.spacing
        if rank_tolerance is not None:
            self.tolerance = as_scalar("rank_tolerance", rank_tolerance, stack, most=1)

    def remove_from(self, vector: Leaves) -> Leaves:
        """Return the part of a vector orthogonal to the span."""
        # one pass leaves rounding errors along the basis; a second one removes them
        for direction in self.vectors * 2:
            vector = _project(self.like.of(vector, direction), self.dtypes)
        return vector

    def extend(self, vector: Leaves) -> None:
        """Add a vector to the span, unless it lies there within the tolerance."""
        residual = self.remove_from(vector)
        if self.vectors and self.like.wide is not None:
            stack = self.like.of(residual, vector)
            # a residual too small to be squared beside the vector is within any tolerance
            left, before = (gramian(stack.of(v), ((0, 0),)) for v in stack.leaves)
            share = root(left[0, 0]) * (left.unit / before.unit)
            least = self.tolerance * root(before[0, 0])
            # NaN compares false, and so is kept and seen
            residual = combination(stack, (where(share <= least, 0 * share, 1), 0), self.dtypes)
        self.vectors.append(residual)


def _wide(stack: Stack, row: Any) -> Any:
    """Return the dtype that holds a leaf in the precision that sums are carried in."""
    if stack.wide is None:
        return next((leaf.dtype for leaf in row if leaf is not None), None)
    is_complex = any(leaf is not None and kind(leaf, stack.xp) == "complex" for leaf in row)
    return complex_of(stack.wide, stack.xp) if is_complex else stack.wide
