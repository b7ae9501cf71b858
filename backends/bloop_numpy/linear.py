"""The two primitives on pytrees of NumPy arrays: most leaves by the kernels, odd ones by NumPy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bloop_numpy import _plain, kernels
from bloop_numpy.leaves import (
    Seen,
    arrays,
    look_at,
    new,
    refuse_read_only,
    refuse_sharing,
)
from bloop_numpy.scale import in_one_scale
from bloop_ref.aliases import Array, Leaves, Rows, Vector
from bloop_ref.arrays import quiet
from bloop_ref.gramian import Gramian
from bloop_ref.vectors import align

REAL = {np.dtype(x): np.empty(0, x).real.dtype for x in ("f4", "f8", "c8", "c16")}
"""The dtypes of this machine's byte order that the kernels take, with those of their entries."""


@dataclass(frozen=True)
class Plan:
    """Leaves of vectors and outputs: ``tables`` for the kernels, with their addresses; the rest."""

    tables: Sequence[tuple[kernels.Table, Sequence[Sequence[int]]]]
    odd: Sequence[tuple[Sequence[Array | None], Sequence[Array | None]]]
    doubles: bool

    def gramian(self, pairs: Sequence[tuple[int, int]], size: int) -> Gramian:
        """Return the inner products of pairs, over one unit."""
        columns = sorted({j for pair in pairs for j in pair})

        def sums_at(scale: float) -> list[float]:
            found = [kernels.inner_products(t, pairs, scale=scale)[0] for t, _ in self.tables]
            found += [_plain.sums(row, pairs, scale) for row, _ in self.odd]
            return [sum(of_pair) for of_pair in zip(*found, strict=True)] or [0.0] * len(pairs)

        def peaks() -> list[float]:
            found = [kernels.largest(t, columns) for t, _ in self.tables]
            found += [_plain.largest(row, columns) for row, _ in self.odd]
            return [float(np.max(of_column)) for of_column in zip(*found, strict=True)]

        sums, unit = in_one_scale(sums_at, peaks, doubles=self.doubles)
        return Gramian(dict(zip(pairs, sums, strict=True)), size, unit=unit)

    def combine(self, matrix: Rows) -> None:
        """Write the outputs."""
        for table, addresses in self.tables:
            kernels.combine(matrix, table, addresses)
        for row, outs in self.odd:
            _plain.combine(matrix, row, outs)


def plan(vectors: Sequence[Leaves], outs: Sequence[Leaves], seen: Seen) -> Plan:
    """Return how to go through some vectors and outputs: together, as far as kernels can."""
    together: dict[Any, list[Any]] = {}
    odd, split = [], len(vectors)
    for row in zip(*vectors, *outs, strict=True):
        leaf = _together(row, seen)
        if leaf is not None:
            together.setdefault(leaf[0], []).append(leaf[1:])
        elif any(x is not None for x in row):
            odd.append((row[:split], row[split:]))
    tables = []
    for dtype, rows in together.items():
        sizes, found = zip(*rows, strict=True)
        columns = list(zip(*found, strict=True))
        tables.append((kernels.table(columns[:split], sizes, dtype), columns[split:]))
    doubles = any(
        x.itemsize == (16 if x.kind == "c" else 8) for x in {m.dtype for m in seen.values()}
    )
    return Plan(tables, odd, doubles)


def _together(row: Sequence[Array | None], seen: Seen) -> tuple[Any, int, list[int]] | None:
    """Return the dtype of the entries, their number and the addresses of a row of leaves.

    Only where all leaves have one dtype, and one order without gaps.
    """
    first, orders, places = None, 3, []
    for x in row:
        if x is None:
            places.append(0)
            continue
        memory = seen[id(x)]
        first = first or memory
        orders &= memory.orders
        if memory.dtype != first.dtype:
            return None
        places.append(memory.address)
    if first is None or not orders or first.dtype not in REAL:
        return None
    dtype = REAL[first.dtype]
    return dtype, first.nbytes // dtype.itemsize, places


@quiet
def inner_products(vectors: Sequence[Vector], pairs: Sequence[tuple[int, int]]) -> list[float]:
    """Return the inner products of some pairs of vectors, each over all leaves together.

    <v_i, v_j> is the sum of the products of all entries, in float64 whatever the leaves, and the
    real one of complex leaves. The bits are the same for any number of threads.

    Args:
        vectors: k pytrees of NumPy arrays of one structure and of equal shapes; ``None`` is zero.
        pairs: the indices (i, j) of the vectors whose products are wanted.

    Raises:
        TypeError: a leaf is no floating NumPy array.
        ValueError: structures or shapes differ.

    Example:
        >>> import numpy as np
        >>> inner_products([np.array([3.0, 4.0]), np.array([-5.0, 0.0])], [(0, 1), (1, 1)])
        [-15.0, 25.0]
    """
    stack = align(**{f"vectors[{j}]": vector for j, vector in enumerate(vectors)})
    leaves = arrays(stack)
    gram = plan(leaves, (), look_at(leaves)).gramian(pairs, len(vectors))
    return [gram[pair] * gram.unit * gram.unit for pair in pairs]


@quiet
def combine(
    matrix: Rows, vectors: Sequence[Vector], *, outs: Sequence[Vector] | None = None
) -> tuple[Vector, ...]:
    """Return linear combinations of some vectors, one for each row of a matrix.

    Output i is sum_j matrix[i][j] v_j. Each entry is computed in float64 and rounded once, but for
    two rows over float32 leaves where ``kernels.combine`` says. A weight that is the Python integer
    0 leaves its vector unread, whatever it holds.

    Args:
        matrix: rows of k numbers.
        vectors: k pytrees of NumPy arrays of one structure and of equal shapes; ``None`` is zero.
        outs: pytrees to write the outputs in, ``None`` for what is not wanted. A leaf may be that
            of a vector at the same place, which it then takes. By default new arrays, with the
            dtypes of the first vector that has the leaf. An exception from outside may leave some
            written and others not.

    Returns:
        The outputs.

    Raises:
        TypeError: a leaf is no floating NumPy array.
        ValueError: structures, shapes or the sizes of rows differ; an output is read-only, or
            shares memory with another leaf.

    Example:
        >>> import numpy as np
        >>> a, e = np.array([3.0, 4.0]), np.array([1.0, 2.0])
        >>> combine([(0.5, 2)], [a, e], outs=[a])[0] is a, a
        (True, array([3.5, 6. ]))
    """
    named = {f"vectors[{j}]": vector for j, vector in enumerate(vectors)}
    targets = {f"outs[{r}]": out for r, out in enumerate(outs or ())}
    _check_shape(matrix, len(matrix) if outs is None else len(outs), len(vectors))
    stack = align(**named, **targets)
    leaves = arrays(stack)
    read, written = leaves[: len(named)], leaves[len(named) :]
    if outs is None:
        written = tuple(tuple(new(*row) for row in zip(*read, strict=True)) for _ in matrix)
    else:
        _check_outputs(
            dict(zip(named, read, strict=True)), dict(zip(targets, written, strict=True))
        )
    plan(read, written, look_at(read + written)).combine(matrix)
    return tuple(map(stack.unflatten, written))


def _check_shape(matrix: Rows, rows: int, columns: int) -> None:
    found = [len(row) for row in matrix]
    if found != [columns] * rows:
        raise ValueError(
            "matrix must have a row for each output, with a weight for each vector: "
            f"required {rows} of {columns}, found {found}"
        )


def _check_outputs(read: Mapping[str, Leaves], written: Mapping[str, Leaves]) -> None:
    """Raise unless every output can be written, in the very place of a vector's leaf or apart."""
    refuse_read_only(written)
    taken = [{_place(x) for x in row} for row in zip(*written.values(), strict=True)]
    rest = {
        name: tuple(None if _place(x) in of else x for x, of in zip(leaves, taken, strict=True))
        for name, leaves in read.items()
    }
    refuse_sharing(rest, written, look_at((*rest.values(), *written.values())))


def _place(leaf: Array | None) -> Any:
    return leaf is not None and (leaf.ctypes.data, leaf.strides, leaf.dtype)
