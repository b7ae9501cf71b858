"""Leaves laid side by side: checked, then flat, real and in one order of memory."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor

from bloop_ref.memory import first_clash

Vector: TypeAlias = Sequence[Tensor | None]
"""A gradient: one tensor per parameter; ``None`` is an exact zero."""

Row: TypeAlias = tuple[Tensor | None, ...]
"""One leaf of each of several vectors."""


def rows_of(**vectors: Vector) -> list[Row]:
    """Return one row of tensors per leaf of the named vectors, which have equally many.

    Raises ``TypeError`` for what is no list of tensors and ``ValueError`` for other lengths.
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
    return list(zip(*vectors.values(), strict=True))


class Alike(NamedTuple):
    """What most rows are: dense real tensors of one shape and device, in order, as they are.

    ``dtype`` is ``None`` where they have several; the address of ``None`` is 0.
    """

    device: torch.device
    dtype: torch.dtype | None
    size: int
    addresses: list[int]


PLAIN = (Tensor, torch.nn.Parameter)
"""Types of tensors that are whole."""


def alike(row: Sequence[Any]) -> Alike | None:
    """Return what is to be known of a row, ``None`` if it has to be looked at more closely.

    So much is asked of every tensor of a model at every step that it is asked in one loop.
    """
    first, dtype, addresses = None, None, []
    for x in row:
        if x is None:
            addresses.append(0)
            continue
        if type(x) not in PLAIN or x.layout is not torch.strided:
            return None
        if first is None:
            first, dtype, shape, device = x, x.dtype, x.shape, x.device
        elif x.shape != shape or x.device != device:
            return None
        elif x.dtype is not dtype:
            dtype = None
        if not x.is_contiguous() or not x.is_floating_point() or x.is_neg():
            return None
        addresses.append(x.data_ptr())
    return None if first is None else Alike(device, dtype, first.numel(), addresses)


def check_rows(
    rows: Sequence[Row], names: Sequence[str], known: Sequence[Alike | None] | None = None
) -> None:
    """Check that the leaves of the named vectors fit together.

    Raises ``TypeError`` for what is no dense floating tensor and ``ValueError`` for other shapes or
    devices than the first vector's. Nothing is broadcast. Rows that are known to be alike are not
    looked at again.
    """
    for position, row in enumerate(rows):
        if known is None or known[position] is None:
            _check_row(row, [f"{name}[{position}]" for name in names])


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


def check_separate(
    rows: Sequence[Row],
    outs: Sequence[Row],
    names: Sequence[str],
    known: Sequence[Alike | None],
) -> None:
    """Raise ``ValueError`` where a tensor that is to be written shares memory with another."""
    starts: list[int] = []
    ends: list[int] = []
    written: list[bool] = []
    for row, out, seen in zip(rows, outs, known, strict=True):
        if seen is not None and seen.dtype is not None:
            length = seen.size * seen.dtype.itemsize
            starts += seen.addresses
            ends += [start + length if start else 0 for start in seen.addresses]
        else:
            starts += [0 if x is None else x.data_ptr() for x in row]
            ends += [0 if x is None else _end(x) for x in row]
        written += [x is not None and (x is out[0] or x is out[1]) for x in row]
    if clash := first_clash(starts, ends, written):
        one, other = (f"{names[i % len(names)]}[{i // len(names)}]" for i in clash)
        raise ValueError(
            f"in place, {one} and {other} must not share memory: one of them is written"
        )


def _end(leaf: Tensor) -> int:
    """Return where the memory of a tensor ends."""
    if not leaf.numel():
        return leaf.data_ptr()
    last = sum((n - 1) * step for n, step in zip(leaf.shape, leaf.stride(), strict=True))
    return leaf.data_ptr() + (last + 1) * leaf.element_size()


def _kind(leaf: Tensor) -> str:
    return "complex" if leaf.is_complex() else "real"


def flattened(row: Row) -> Row:
    """Return the leaves of a row as one-dimensional real tensors with one order of entries.

    They are views wherever all leaves are dense and have one order of dimensions in memory, as
    parameters, their gradients and averages have; otherwise a leaf that lies differently is copied.
    A tensor that comes twice has one view.
    """
    flat: list[Tensor | None] = []
    order: list[int] | None = None
    if any(x is not None and not x.is_contiguous() for x in row):
        # the last one decides: it is the average, or a new buffer like it
        order = _memory_order(_real([x for x in row if x is not None][-1]))
    for x in row:
        for known, view in zip(row, flat, strict=False):
            if known is x:
                flat.append(view)
                break
        else:
            flat.append(None if x is None else _flat(x, order))
    return tuple(flat)


def _flat(leaf: Tensor, order: list[int] | None) -> Tensor:
    real = leaf if is_plain(leaf) else _real(leaf)
    return real.view(-1) if order is None else real.permute(order).reshape(-1).contiguous()


def same_memory_order(first: Tensor, second: Tensor) -> bool:
    """Whether ``flattened`` makes views of both of two dense tensors."""
    return first.stride() == second.stride() or (first.is_contiguous() and second.is_contiguous())


def writable(leaf: Tensor) -> bool:
    """Whether writing to the flat view writes to the tensor: its memory has each entry as it is."""
    if not torch.compiler.is_compiling() and (leaf.is_conj() or leaf.is_neg()):
        return False
    real = _real(leaf)
    return real.is_contiguous() or real.permute(_memory_order(real)).is_contiguous()


def is_plain(leaf: Tensor) -> bool:
    """Whether the memory of a tensor is its flat view: real, in order, each entry as it is."""
    return (
        leaf.is_contiguous()
        and leaf.is_floating_point()
        and (torch.compiler.is_compiling() or not leaf.is_neg())
    )


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
