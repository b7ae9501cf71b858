"""The leaves of a step as a table of addresses; what may be written in place."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import cupy as cp
import numpy as np
import optree

from bloop_cupy import launch
from bloop_cupy.launch import C_TYPES, Signature
from bloop_ref.aliases import Array, Leaves
from bloop_ref.driver import memory_dtypes
from bloop_ref.memory import first_clash
from bloop_ref.vectors import Stack

NAMES = ("g_main", "g_aux", "ema")

Row = tuple[Array | None, ...]
"""One leaf of g_main, g_aux, ema, the direction and the new average."""


@dataclass(frozen=True)
class Group:
    """Leaves of one signature: rows of five addresses, a size and the number of a first block."""

    signature: Signature
    table: np.ndarray
    blocks: int


def group(rows: Sequence[Row]) -> tuple[Group, ...]:
    """Return the table of all rows that have entries, by signature."""
    filled = [row for row in rows if any(x is not None and x.size for x in row)]
    ordered = sorted(filled, key=_signature)
    return tuple(_group(key, list(alike)) for key, alike in groupby(ordered, _signature))


def _group(signature: Signature, rows: Sequence[Row]) -> Group:
    leaves = [next(x for x in row if x is not None) for row in rows]
    sizes = np.array([x.size * (2 if x.dtype.kind == "c" else 1) for x in leaves], np.int64)
    blocks = -(-sizes // launch.ENTRIES)
    addresses = [[0 if x is None else x.data.ptr for x in row] for row in rows]
    first = np.cumsum(blocks) - blocks
    table = np.column_stack([np.array(addresses, np.int64), sizes, first])
    return Group(signature, table, int(blocks.sum()))


def _signature(row: Row) -> Signature:
    # no kernel reads a leaf that is None, and any type will do for it
    return tuple("float" if x is None else C_TYPES[x.dtype.name] for x in row)


def check_arrays(stack: Stack) -> Any:
    """Return the device of all leaves, ``None`` where there is no leaf; raise if it is not one."""
    found = None
    for j, position, leaf in _present(stack.leaves):
        if not isinstance(leaf, cp.ndarray):
            raise TypeError(
                f"{path(stack, j, position)} must be a CuPy array or None; "
                f"found {type(leaf).__module__}.{type(leaf).__name__}"
            )
        found = leaf.device if found is None else found
        if leaf.device != found:
            raise ValueError(
                f"{path(stack, j, position)} must be on the device of the other leaves: "
                f"required {found}, found {leaf.device}"
            )
    return found


def check_in_place(stack: Stack) -> None:
    """Raise unless the direction can take the place of g_aux, and the new average that of ema."""
    for j, position, leaf in _present(stack.leaves):
        if j and not leaf.flags.c_contiguous:
            raise ValueError(f"in place, {path(stack, j, position)} must be contiguous; it is not")
        if j == 1 and leaf.dtype != stack.dtypes[position]:
            raise TypeError(
                f"in place, {path(stack, j, position)} must have the dtype of the direction: "
                f"required {stack.dtypes[position]}, found {leaf.dtype}"
            )
    _check_apart(stack)


def _check_apart(stack: Stack) -> None:
    """Raise if memory that is written belongs to two leaves."""
    leaves = list(_present(stack.leaves))
    spans = [cp.byte_bounds(leaf) if leaf.size else (0, 0) for _, _, leaf in leaves]
    starts, ends = zip(*spans, strict=True) if spans else ((), ())
    if clash := first_clash(starts, ends, [j > 0 for j, _, _ in leaves]):
        one, other = (path(stack, *leaves[k][:2]) for k in clash)
        raise ValueError(
            "in place, no memory that is written may belong to two arguments; "
            f"{one} and {other} share some"
        )


def path(stack: Stack, j: int, position: int) -> str:
    """Return a leaf as an expression."""
    name: str = optree.treespec_accessors(stack.treespec)[position].codify(NAMES[j])
    return name


def _present(vectors: Iterable[Leaves]) -> Iterator[tuple[int, int, Array]]:
    for j, vector in enumerate(vectors):
        for position, leaf in enumerate(vector):
            if leaf is not None:
                yield j, position, leaf


def outputs(stack: Stack, inplace: bool) -> tuple[Leaves, Leaves]:
    """Return where the direction and the new average go: to g_aux and ema, or to fresh memory."""
    g_main, g_aux, ema = stack.leaves
    own = (g_aux, ema) if inplace else ((None,) * len(ema),) * 2
    return (
        tuple(map(_place, own[0], stack.dtypes, *stack.leaves)),
        tuple(map(_place, own[1], memory_dtypes(stack, 2, 0), g_main, ema)),
    )


def _place(own: Array | None, dtype: Any, *made_of: Array | None) -> Array | None:
    """Return the memory of an output leaf; ``None`` where all that it is made of is."""
    like = next((x for x in made_of if x is not None), None)
    return own if like is None or own is not None else cp.empty(like.shape, dtype)


def readable(vectors: Iterable[Leaves]) -> tuple[Leaves, ...]:
    """Return vectors whose leaves lie as a kernel reads them, copies where they do not."""
    return tuple(
        tuple(x if x is None or x.flags.c_contiguous else cp.ascontiguousarray(x) for x in vector)
        for vector in vectors
    )
