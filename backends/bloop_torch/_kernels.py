"""The two primitives on the CPU, in kernels that are compiled once and serve leaves of any length.

Each is the whole expression of ``_traced`` for one leaf. Small leaves, and whatever float32 has not
the range for, go the way of ``_blocked``.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor

from bloop_torch import _blocked, _traced
from bloop_torch._blocked import Pairs, finite
from bloop_torch._blocks import working_dtype
from bloop_torch._leaves import Row
from bloop_torch._program import fit

__all__ = ["combine", "finite", "inner_products"]

LEAST = 1 << 15
"""Entries that a leaf must have for a kernel: calling one costs more than a few operations."""


def inner_products(
    rows: Sequence[Row], pairs: Pairs, *, scaled: bool = True
) -> tuple[list[float], tuple[int, ...]]:
    """Return inner products and exponents; see ``_blocked``."""
    return _blocked.inner_products(rows, pairs, scaled=scaled, first=_sums)


def _sums(
    rows: Sequence[Row], pairs: Pairs, dtypes: Sequence[torch.dtype], exponents: Sequence[int]
) -> list[float]:
    used = {j for pair in pairs for j in pair}
    heads: list[Row] = []
    rest: list[Row] = []
    for row in rows:
        needed = tuple(x if j in used else None for j, x in enumerate(row))
        # the kernel takes whole blocks
        end = _length(needed) // _traced.BLOCK * _traced.BLOCK if _is_large(needed) else 0
        if end:
            heads.append(_bare([None if x is None else x[:end] for x in needed]))
            needed = tuple(None if x is None else x[end:] for x in needed)
        rest.append(needed)
    totals = _blocked.sums(rest, pairs, dtypes, exponents)
    # the compiler plans its threads for the first length that it sees
    for head in sorted(heads, key=_length, reverse=True):
        with _one_state():
            parts = _dots(tuple(pairs))(head)
        totals = [total + part.item() for total, part in zip(totals, parts, strict=True)]
    return totals


def combine(
    matrix: Sequence[Sequence[float]],
    rows: Sequence[Row],
    outs: Sequence[Row],
    *,
    exponents: Sequence[int] = (),
    units: Sequence[Sequence[int]] = (),
    only_if: Sequence[bool] = (),
) -> None:
    """Write linear combinations; see ``_blocked``."""
    wanted = only_if or (True,) * len(matrix)
    plain = not any(exponents) and all(fit(line, torch.float32) for line in matrix)
    large: list[tuple[Row, Row]] = []
    rest: list[tuple[Row, Row]] = []
    for row, every in zip(rows, outs, strict=True):
        out = tuple(x if keep else None for x, keep in zip(every, wanted, strict=True))
        (large if plain and _is_large((*row, *out)) else rest).append((row, out))
    _combine_large(matrix, large)
    _blocked.combine(
        matrix, [row for row, _ in rest], [out for _, out in rest], exponents=exponents, units=units
    )


def _combine_large(matrix: Sequence[Sequence[float]], pairs: Sequence[tuple[Row, Row]]) -> None:
    weights = tuple(
        tuple(x if type(x) is int else torch.tensor(x, dtype=torch.float64) for x in line)
        for line in matrix
    )
    kernel = _combination()
    for row, out in sorted(pairs, key=lambda pair: _length(pair[0]), reverse=True):
        bare = _bare((*row, *out))
        with _one_state():
            kernel(weights, bare[: len(row)], bare[len(row) :])
        for x in out:
            if x is not None:
                torch.autograd.graph.increment_version(x)


def _is_large(leaves: Row) -> bool:
    """Whether a kernel is worth its call, and float32 is what the leaves are worked in."""
    dtypes = [x.dtype for x in leaves if x is not None]
    return _length(leaves) >= LEAST and working_dtype(dtypes) == torch.float32


@contextmanager
def _one_state() -> Iterator[None]:
    """Call kernels in one state of the dispatcher, since they are compiled anew for another.

    Inside of a compiled program it may be that of the program.
    """
    with torch.no_grad(), torch._C._AutoDispatchBelowADInplaceOrView():
        yield


def _bare(leaves: Iterable[Tensor | None]) -> Row:
    """Return leaves that are views of nothing, lest kernels be compiled for what they are views of.

    A tensor that comes twice, to be read and written, stays one.
    """
    known: dict[int, Tensor] = {}
    return tuple(None if x is None else known.setdefault(id(x), x.data) for x in leaves)


def _length(leaves: Row) -> int:
    return next((x.numel() for x in leaves if x is not None), 0)


@cache
def _dots(pairs: tuple[tuple[int, int], ...]) -> Callable[[Row], list[Tensor]]:
    def dots(row: Row) -> list[Tensor]:
        return _traced.inner_products([row], pairs)[0]

    return torch.compile(dots, fullgraph=True, dynamic=True)


@cache
def _combination() -> Callable[[Sequence[Sequence[Any]], Row, Row], None]:
    def combination(weights: Sequence[Sequence[Any]], row: Row, out: Row) -> None:
        _traced.combine(weights, [row], [out])

    return torch.compile(combination, fullgraph=True, dynamic=True)
