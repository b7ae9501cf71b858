"""How the vectors of a step lie to one another."""

from collections.abc import Callable
from itertools import combinations_with_replacement
from typing import NamedTuple

import array_api_compat

from bloop_ref.aliases import Scalar, Vector
from bloop_ref.arrays import quiet
from bloop_ref.gramian import Gramian, Pairs
from bloop_ref.linear import gramian
from bloop_ref.scalars import ratio, root
from bloop_ref.vectors import Stack, align


class Diagnostics(NamedTuple):
    """How the vectors of a step lie to one another: gradients first, then remembered vectors.

    ``norms`` has one entry per vector, ``cosines`` one row; a cosine with a zero vector is 0. The
    properties name them as Bloop's vectors (g_main, g_aux, e) are called.
    """

    norms: tuple[Scalar, ...]
    cosines: tuple[tuple[Scalar, ...], ...]

    @property
    def norm_main(self) -> Scalar:
        """||g_main||."""
        return self.norms[0]

    @property
    def norm_aux(self) -> Scalar:
        """||g_aux||, of the first auxiliary gradient."""
        return self.norms[1]

    @property
    def norm_ema(self) -> Scalar:
        """||e||, of the last vector."""
        return self.norms[-1]

    @property
    def cos_main_aux(self) -> Scalar:
        """The cosine of g_main and g_aux."""
        return self.cosines[0][1]

    @property
    def cos_main_ema(self) -> Scalar:
        """The cosine of g_main and e."""
        return self.cosines[0][-1]

    @property
    def cos_aux_ema(self) -> Scalar:
        """The cosine of g_aux and e."""
        return self.cosines[1][-1]

    @property
    @quiet
    def coefficient(self) -> Scalar:
        """<g_aux, e> / ||e||^2, the multiple of e that is taken out of g_aux."""
        found = self.cos_aux_ema * ratio(self.norm_aux, self.norm_ema)
        if not array_api_compat.is_array_api_obj(found):
            return found
        return array_api_compat.array_namespace(found).asarray(found)


def all_pairs(size: int) -> Pairs:
    """Return every entry of the upper triangle of a Gramian."""
    return tuple(combinations_with_replacement(range(size), 2))


def measured(gram: Gramian) -> Diagnostics:
    """Return the diagnostics of vectors all of whose inner products are known."""
    places = range(gram.size)
    sizes = [root(gram[k, k]) for k in places]
    cosines = [[ratio(gram[i, j], sizes[i] * sizes[j]) for j in places] for i in places]
    return Diagnostics(tuple(size * gram.unit for size in sizes), tuple(map(tuple, cosines)))


@quiet
def diagnostics(g_main: Vector, g_aux: Vector, ema: Vector) -> Diagnostics:
    """Return the norms and cosines of the vectors of a step, and the projection coefficient.

    Nothing but the six inner products of (g_main, g_aux, ema) is computed, all leaves together.

    Args:
        g_main: the main gradient, a pytree of arrays; ``None`` is zero.
        g_aux: the auxiliary gradient, of the same structure, shapes and library.
        ema: the moving average of main gradients, likewise.

    Returns:
        Zero-dimensional arrays, on the vectors' device.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: structures, shapes or devices differ.

    Example:
        >>> import numpy as np
        >>> d = diagnostics(np.array([3.0, 4.0]), np.array([-5.0, 0.0]), np.array([6.0, 8.0]))
        >>> float(d.norm_ema), float(d.cos_aux_ema), float(d.coefficient)
        (10.0, -0.6, -0.3)
    """
    stack = align(g_main=g_main, g_aux=g_aux, ema=ema)
    return of_stack(stack)


def of_stack(stack: Stack, described: Callable[[Gramian], Diagnostics] = measured) -> Diagnostics:
    """Return the diagnostics of the vectors of a stack, as arrays."""
    found = described(gramian(stack, all_pairs(len(stack.leaves))))
    if stack.wide is None:
        return found
    array = stack.xp.asarray  # arithmetic on zero-dimensional NumPy arrays returns scalars
    cosines = tuple(tuple(map(array, row)) for row in found.cosines)
    return type(found)(tuple(map(array, found.norms)), cosines)
