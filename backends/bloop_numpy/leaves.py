"""Gradients laid out for the primitives: flat, real, without gaps; and the arrays put back."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from bloop_numpy.linear import Block
from bloop_ref._typing import Vector
from bloop_ref._vectors import Columns


@dataclass(frozen=True)
class Layout:
    """The leaves of three vectors and of two outputs, as flat real arrays over the same memory.

    ``copied`` lists the outputs without a flat view of their memory, and the flat arrays to be
    written back to them.
    """

    vectors: tuple[list[Block], ...]
    outputs: tuple[list[Block], ...]
    copied: list[tuple[Block, Block]]

    def write_back(self) -> None:
        """Copy to the outputs what could not be written in their memory."""
        for output, flat in self.copied:
            output[...] = flat.view(output.dtype).reshape(output.shape)


Vectors = tuple[list[Block], ...]
"""The leaves of (g_main, g_aux, ema)."""


def filled(columns: Columns) -> Vectors:
    """Return the leaves of (g_main, g_aux, ema), zeros for ``None``; rows of ``None`` are left out.

    A missing leaf of the average is at least float32. Raises ``TypeError`` for other arrays than
    NumPy's, and for arrays of Python objects.
    """
    if columns.wide is None or columns.xp.__name__ != "array_api_compat.numpy":
        raise TypeError(
            "bloop_numpy.step takes NumPy arrays of floating dtypes; bloop_ref.Bloop takes others"
        )
    rows = [row for row in zip(*columns.leaves, strict=True) if any(x is not None for x in row)]
    return tuple([_filled(row, j) for row in rows] for j in range(3))


def _filled(row: Sequence[Block | None], j: int) -> Block:
    if row[j] is not None:
        leaf = np.asarray(row[j])
        if isinstance(row[j], np.generic):  # what arithmetic on zero-dimensional arrays returns
            leaf.flags.writeable = False
        return leaf
    like = next(x for x in row if x is not None)
    # the bfloat16 of ml_dtypes counts as narrow, too
    narrow = like.dtype.itemsize < 4
    return np.zeros(like.shape, np.float32 if j == 2 and narrow else like.dtype)


def fresh(vectors: Vectors) -> Vectors:
    """Return new arrays for the direction and the average."""
    g_main, _, ema = vectors
    return [np.empty_like(x) for x in g_main], [np.empty_like(x) for x in ema]


def restore(columns: Columns, leaves: Sequence[Block], *, present_in: Sequence[int]) -> Vector:
    """Return leaves as a vector: ``None`` where every vector that it is made of has none."""
    rest = iter(leaves)
    restored: list[Block | None] = []
    for row in zip(*columns.leaves, strict=True):
        leaf = None if all(x is None for x in row) else next(rest)
        restored.append(None if all(row[j] is None for j in present_in) else leaf)
    return columns.unflatten(tuple(restored))


def check_in_place(vectors: Vectors) -> None:
    """Raise unless the direction can take the place of g_aux, and the new average that of ema."""
    for i, (g_main, g_aux, ema) in enumerate(zip(*vectors, strict=True)):
        if g_aux.dtype != g_main.dtype:
            raise TypeError(
                "in place, g_aux must have the dtypes of g_main, which the direction has: "
                f"required {g_main.dtype} for leaf {i}, found {g_aux.dtype}"
            )
        for name, x in (("g_aux", g_aux), ("ema", ema)):
            if not x.flags.writeable:
                raise ValueError(f"in place, {name} must be writeable; found leaf {i} read-only")
        for (one, x), (other, y) in combinations(
            (("g_main", g_main), ("g_aux", g_aux), ("ema", ema)), 2
        ):
            if np.may_share_memory(x, y):
                raise ValueError(
                    f"in place, {one} and {other} must not share memory; leaf {i} of them does"
                )


def lay_out(vectors: Sequence[Sequence[Block]], outputs: Sequence[Sequence[Block]]) -> Layout:
    """Return flat views of vectors and outputs; one without a view in common order is copied."""
    flat_vectors: list[list[Block]] = [[] for _ in vectors]
    flat_outputs: list[list[Block]] = [[] for _ in outputs]
    copied = []
    for row in zip(*vectors, *outputs, strict=True):
        order: Any = "F" if all(x.flags.f_contiguous for x in row) else "C"
        flat = {id(x): _real(x.ravel(order)) for x in row}
        for target, x in zip(flat_vectors + flat_outputs, row, strict=True):
            target.append(flat[id(x)])
        copied += [
            (x, flat[id(x)])
            for x in row[len(vectors) :]
            if not np.may_share_memory(x, flat[id(x)]) and x.size
        ]
    return Layout(tuple(flat_vectors), tuple(flat_outputs), copied)


def _real(x: Block) -> Block:
    return x.view(x.real.dtype) if x.dtype.kind == "c" else x
