"""Leaves of vectors as NumPy arrays: what is refused, and what is allocated."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from bloop_ref.aliases import Array, Leaves
from bloop_ref.memory import first_clash
from bloop_ref.vectors import Stack


def arrays(stack: Stack) -> tuple[Leaves, ...]:
    """Return the leaves of every vector of a stack.

    Raises ``TypeError`` for other arrays than NumPy's, and for arrays of Python objects.
    """
    if stack.wide is None or stack.xp.__name__ != "array_api_compat.numpy":
        found = "Python objects" if stack.wide is None else stack.xp.__name__.rpartition(".")[2]
        raise TypeError(
            "bloop_numpy takes NumPy arrays of floating dtypes, bloop_ref others, too; "
            f"found arrays of {found}"
        )
    return tuple(tuple(map(_array, vector)) for vector in stack.leaves)


def _array(leaf: Array | None) -> Array | None:
    if isinstance(leaf, np.generic):  # what arithmetic on zero-dimensional arrays returns
        leaf = np.asarray(leaf)
        leaf.flags.writeable = False
    return leaf


class Memory(NamedTuple):
    """What must be known of an array's memory.

    ``orders`` are the orders, 1 for C and 2 for Fortran, in which its entries lie without gaps.
    """

    address: int
    nbytes: int
    dtype: Any
    orders: int
    span: tuple[int, int]


Seen = Mapping[int, Memory]
"""The memory of arrays, by their ids: to ask for an address takes a microsecond."""


def look_at(vectors: Iterable[Leaves]) -> Seen:
    """Return what must be known of the memory of all leaves of some vectors."""
    leaves = {id(x): x for vector in vectors for x in vector if x is not None}
    return {key: _memory(x) for key, x in leaves.items()}


def _memory(x: Array) -> Memory:
    flags, address, nbytes = x.flags, x.__array_interface__["data"][0], x.nbytes
    orders = flags.c_contiguous + 2 * flags.f_contiguous
    span = (address, address + nbytes) if orders else np.lib.array_utils.byte_bounds(x)
    return Memory(address, nbytes, x.dtype, orders if flags.aligned else 0, span)


def new(leaf: Array | None, *others: Array | None, average: bool = False) -> Array | None:
    """Return an array for an output, like the first leaf there is of those that it is made of.

    An average whose own leaf is missing is at least float32.
    """
    like = next((x for x in (leaf, *others) if x is not None), None)
    if like is None:
        return None
    # the bfloat16 of ml_dtypes counts as narrow, too
    narrow = average and leaf is None and like.dtype.itemsize < 4
    return np.empty_like(like, dtype=np.float32 if narrow else None)


def refuse_read_only(written: Mapping[str, Leaves]) -> None:
    """Raise ``ValueError`` unless all named vectors can be written."""
    for name, leaves in written.items():
        for i, x in enumerate(leaves):
            if x is not None and not x.flags.writeable:
                raise ValueError(f"in place, {name} must be writeable; found leaf {i} read-only")


def refuse_sharing(read: Mapping[str, Leaves], written: Mapping[str, Leaves], seen: Seen) -> None:
    """Raise ``ValueError`` if a leaf that is written shares memory with any other leaf."""
    places = [
        (seen[id(x)].span, name, i)
        for vectors in (read, written)
        for name, leaves in vectors.items()
        for i, x in enumerate(leaves)
        if x is not None
    ]
    spans = [span for span, _, _ in places]
    wet = [name in written for _, name, _ in places]
    if clash := first_clash([start for start, _ in spans], [end for _, end in spans], wet):
        (_, one, i), (_, other, m) = (places[k] for k in clash)
        raise ValueError(
            f"in place, {one} and {other} must not share memory; "
            f"leaf {i} of the one and leaf {m} of the other do"
        )
