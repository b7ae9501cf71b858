"""How the vectors of a step lie to one another."""

from collections.abc import Callable
from itertools import combinations
from typing import Any, NamedTuple

import array_api_compat
import optree

from bloop_ref.aliases import Scalar, Vector
from bloop_ref.arrays import quiet
from bloop_ref.gramian import Gramian, all_pairs
from bloop_ref.linear import gramian
from bloop_ref.scalars import ratio, root
from bloop_ref.vectors import Stack, align

BLOOP = ("main", "aux", "ema")
"""The names of Bloop's vectors: g_main, g_aux, e."""


class Diagnostics(NamedTuple):
    """How the vectors of a step lie to one another: gradients first, then remembered vectors.

    ``cosines`` has one row for each vector, in the order of ``norms``; a cosine with a zero vector
    is 0. Some properties name them as Bloop's vectors (g_main, g_aux, e) are called; ``as_dict``
    names all of them.
    """

    gradient_norms: tuple[Scalar, ...]
    memory_norms: tuple[Scalar, ...]
    cosines: tuple[tuple[Scalar, ...], ...]

    @property
    def norms(self) -> tuple[Scalar, ...]:
        """The norms of all vectors."""
        return self.gradient_norms + self.memory_norms

    @property
    def names(self) -> tuple[str, ...]:
        """What ``as_dict`` calls the vectors: main, aux, ema; several of a kind have numbers."""
        losses, averages = len(self.gradient_norms), len(self.memory_norms)
        aux = ["aux"] if losses == 2 else [f"aux_{k}" for k in range(1, losses)]
        ema = ["ema"] if averages == 1 else [f"ema_{k}" for k in range(averages)]
        return ("main", *aux, *ema)

    @property
    def derived(self) -> dict[str, Scalar]:
        """What ``as_dict`` has beside norms and cosines: Bloop's projection coefficient."""
        return {"coefficient": self.coefficient} if self.names == BLOOP else {}

    def as_dict(self, prefix: str = "") -> dict[str, Scalar]:
        """Return all numbers by flat names, as loggers take them.

        ``norm_main`` for every vector, ``cos_main_aux`` for every two, and ``coefficient`` where
        there is one auxiliary gradient and one average. The names hang on the number of vectors
        alone, and have letters, digits and underscores only. Numbers are as they are: none is
        waited for.

        Args:
            prefix: what every name begins with, such as ``"bloop/"``.

        Example:
            >>> import numpy as np
            >>> g_main, g_aux = np.array([3.0, 4.0]), np.array([-5.0, 0.0])
            >>> found = diagnostics(g_main, g_aux, g_main).as_dict("bloop/")
            >>> list(found)[2:4], float(found["bloop/coefficient"])
            (['bloop/norm_ema', 'bloop/cos_main_aux'], -0.6)
        """
        norms = {f"norm_{name}": x for name, x in zip(self.names, self.norms, strict=True)}
        cosines = {
            f"cos_{one}_{other}": self.cosines[i][j]
            for (i, one), (j, other) in combinations(enumerate(self.names), 2)
        }
        return {f"{prefix}{name}": x for name, x in (norms | cosines | self.derived).items()}

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


def measured(gram: Gramian, losses: int) -> Diagnostics:
    """Return the diagnostics of so many gradients, and of memory, from all inner products."""
    places = range(gram.size)
    sizes = [root(gram[k, k]) for k in places]
    cosines = tuple(tuple(ratio(gram[i, j], sizes[i] * sizes[j]) for j in places) for i in places)
    norms = tuple(size * gram.unit for size in sizes)
    return Diagnostics(norms[:losses], norms[losses:], cosines)


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
    return of_stack(align(g_main=g_main, g_aux=g_aux, ema=ema), 2)


def of_stack(
    stack: Stack, losses: int, described: Callable[[Gramian, int], Diagnostics] = measured
) -> Diagnostics:
    """Return the diagnostics of a stack of so many gradients, and memory, as arrays."""
    found: Any = described(gramian(stack, all_pairs(len(stack.leaves))), losses)
    if stack.wide is not None:
        # arithmetic on zero-dimensional NumPy arrays returns scalars
        found = optree.tree_map(stack.xp.asarray, found)
    seen: Diagnostics = found
    return seen
