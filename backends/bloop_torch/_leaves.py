"""Leaves laid side by side: checked, then flat, real and in one order of memory."""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

Vector: TypeAlias = Sequence[Tensor | None]
"""A gradient: one tensor per parameter; ``None`` is an exact zero."""

Row: TypeAlias = tuple[Tensor | None, ...]
"""One leaf of each of several vectors."""


def rows_of(**vectors: Vector) -> list[Row]:
    """Check that the named vectors fit together, and return one row of tensors per leaf.

    Raises ``TypeError`` for what is no dense floating tensor and ``ValueError`` for other lengths,
    shapes or devices than the first vector's. Nothing is broadcast.
    """
    (first, model), *others = vectors.items()
    for name, vector in vectors.items():
        if not isinstance(vector, list | tuple):
            raise TypeError(f"{name} must be a list of tensors; found {type(vector).__name__}")
    for name, vector in others:
        if len(vector) != len(model):
            raise ValueError(
                f"{name} must have as many tensors as {first}: "
                f"required {len(model)}, found {len(vector)}"
            )
    rows = list(zip(*vectors.values(), strict=True))
    for position, row in enumerate(rows):
        _check_row(row, [f"{name}[{position}]" for name in vectors])
    return rows


def _check_row(row: Row, names: Sequence[str]) -> None:
    present = [(name, leaf) for name, leaf in zip(names, row, strict=True) if leaf is not None]
    for name, leaf in present:
        if not isinstance(leaf, Tensor):
            raise TypeError(f"{name} must be a tensor or None; found {type(leaf).__name__}")
        if not (leaf.is_floating_point() or leaf.is_complex()):
            raise TypeError(f"{name} must have a floating dtype; found {leaf.dtype}")
        if leaf.layout is not torch.strided:
            raise TypeError(f"{name} must be dense; found layout {leaf.layout}: use to_dense()")
    for name, leaf in present[1:]:
        model_name, model = present[0]
        for what, found, required in (
            ("shape", tuple(leaf.shape), tuple(model.shape)),
            ("device", leaf.device, model.device),
            ("kind of dtype", _kind(leaf), _kind(model)),
        ):
            if found != required:
                raise ValueError(
                    f"{name} must have the {what} of {model_name}: "
                    f"required {required}, found {found}"
                )


def _kind(leaf: Tensor) -> str:
    return "complex" if leaf.is_complex() else "real"


def flattened(row: Row) -> Row:
    """Return the leaves of a row as one-dimensional real tensors with one order of entries.

    They are views wherever all leaves are dense and have one order of dimensions in memory, as
    parameters, their gradients and averages have; otherwise a leaf that lies differently is copied.
    """
    real = [None if x is None else _real(x) for x in row]
    present = [x for x in real if x is not None]
    if all(x.is_contiguous() for x in present):
        return tuple(None if x is None else x.view(-1) for x in real)
    # the last one decides: it is the average, or a new buffer like it
    order = _memory_order(present[-1])
    return tuple(None if x is None else x.permute(order).reshape(-1) for x in real)


def same_memory_order(first: Tensor, second: Tensor) -> bool:
    """Whether ``flattened`` makes views of both of two dense tensors."""
    return first.stride() == second.stride() or (first.is_contiguous() and second.is_contiguous())


def writable(leaf: Tensor) -> bool:
    """Whether writing to the flat view writes to the tensor: its memory has each entry as it is."""
    if not torch.compiler.is_compiling() and (leaf.is_conj() or leaf.is_neg()):
        return False
    real = _real(leaf)
    return real.is_contiguous() or real.permute(_memory_order(real)).is_contiguous()


def _real(leaf: Tensor) -> Tensor:
    """Return a real view; a conjugate is carried out first."""
    leaf = leaf.resolve_neg()
    return torch.view_as_real(leaf.resolve_conj()) if leaf.is_complex() else leaf


def _memory_order(leaf: Tensor) -> list[int]:
    """Return the dimensions from the slowest to the fastest in memory."""
    return sorted(range(leaf.ndim), key=lambda i: (leaf.stride(i), leaf.shape[i]), reverse=True)


def entries(rows: Iterable[Row]) -> int:
    """Return how many real numbers one vector of some flat rows has."""
    return sum(next((x.numel() for x in row if x is not None), 0) for row in rows)
