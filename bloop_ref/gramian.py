"""The Gramian of a stack of vectors: all that a method sees of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any, TypeAlias

from bloop_ref.aliases import Scalar

Pairs: TypeAlias = tuple[tuple[int, int], ...]
"""Which inner products are wanted: places (i, j) in the stack, each in either order."""

SAFE = 2.0**511
"""Between 1 / SAFE and SAFE sums of float64 products have lost nothing, nor will quotients."""

MOST_APART = 2.0**470
"""How far the largest entries of two vectors may lie apart in float64, a factor of about 1e141."""


def all_pairs(size: int) -> Pairs:
    """Return every entry of the upper triangle of a Gramian.

    Example:
        >>> all_pairs(2)
        ((0, 0), (0, 1), (1, 1))
    """
    return tuple(combinations_with_replacement(range(size), 2))


def out_of_range(sums: Iterator[float] | list[float] | tuple[float, ...]) -> bool:
    """Whether a sum of float64 products, or a quotient of two, may have left the range of float64.

    A zero may be a sum that underflowed.

    Example:
        >>> out_of_range([1.0, 2.0]), out_of_range([1e-200, 1.0]), out_of_range([0.0])
        (False, True, True)
    """
    return not all(1 / SAFE <= abs(x) <= SAFE for x in sums)


@dataclass(frozen=True)
class Gramian:
    """Inner products <v_i, v_j> of a stack of vectors, those that were asked for.

    All vectors were measured over one power of two, ``unit``: 1, or one that keeps every sum within
    the range of its dtype. A method of degree one in a common factor of all vectors need not
    look at it: its weights have degree zero. ``spacing`` is that at 1 of the coarsest leaf, to
    which the vectors themselves were rounded; 0 where they are exact.

    Example:
        >>> gram = Gramian({(0, 1): -15.0, (1, 1): 25.0}, size=2)
        >>> gram[1, 0], gram[1, 1]
        (-15.0, 25.0)
    """

    entries: Mapping[tuple[int, int], Scalar]
    size: int
    unit: Scalar = field(default=1, kw_only=True)
    spacing: float = field(default=0.0, kw_only=True)

    def __getitem__(self, pair: tuple[int, int]) -> Scalar:
        """Return <v_i, v_j>; ``KeyError`` where it was not asked for."""
        i, j = pair
        return self.entries[pair] if pair in self.entries else self.entries[j, i]

    def rows(self) -> tuple[tuple[Any, ...], ...]:
        """Return the matrix in rows, ``None`` for what was not asked for."""
        known = {**self.entries, **{(j, i): x for (i, j), x in self.entries.items()}}
        places = range(self.size)
        return tuple(tuple(known.get((i, j)) for j in places) for i in places)
