"""The pure step: one function from gradients and average to direction and new average."""

import math
from typing import Any

import torch
from torch import Tensor

from bloop_torch._leaves import (
    Alike,
    Row,
    Vector,
    alike,
    check_rows,
    check_separate,
    is_plain,
    rows_of,
    same_memory_order,
    writable,
)
from bloop_torch._operator import NAMES, call_hidden, write_step
from bloop_torch._shards import agreed, is_sharded


@torch.no_grad()
def step(
    g_main: Vector,
    g_aux: Vector,
    ema: Vector,
    *,
    lam: float | Tensor,
    rho: float | Tensor,
    inplace: bool = False,
) -> tuple[list[Tensor | None], list[Tensor | None]]:
    """Return Bloop's direction, d = g_main + lam pi(g_aux; ema), and the next moving average.

    pi(u; v) = u - <u, v> / ||v||^2 v with pi(u; 0) = u, the inner product over all tensors
    together; the next average is (1 - rho) ema + rho g_main. Two passes over memory read the inputs
    twice and write the outputs once, whatever the number of tensors; under ``torch.compile`` they
    are one operator. Tensors may be sharded (``DTensor``): inner products are summed over the
    processes, by one all-reduce per group.

    Args:
        g_main: the main gradient, one tensor per parameter; ``None`` is zero.
        g_aux: the auxiliary gradient, likewise.
        ema: the moving average of the main gradients before this step, likewise.
        lam: the weight of the auxiliary loss, >= 0.
        rho: the weight of the new gradient in the average, in [0, 1].
        inplace: give up ``g_aux`` and ``ema``, whose memory the outputs take: nothing is allocated,
            unless a tensor of ``g_aux`` has another dtype or order in memory than that of
            ``g_main``. By default no input is written to, and outputs are new tensors.

    Returns:
        The direction, with the dtypes of ``g_main``, and the average, with those of ``ema``.

    Raises:
        TypeError: a leaf is no dense floating tensor.
        ValueError: lengths, shapes, devices or meshes differ, or lam or rho is out of range; in
            place, a tensor that is written shares memory with another.

    Example:
        >>> import torch
        >>> from bloop_torch import step
        >>> g_main, g_aux = [torch.tensor([3.0, 4.0])], [torch.tensor([-5.0, 0.0])]
        >>> step(g_main, g_aux, g_main, lam=0.5, rho=0.25)
        ([tensor([1.4000, 5.2000])], [tensor([3., 4.])])

    Source: eq. 5 and Algorithm 1 of arXiv 2402.02998v2.
    """
    lam, rho = checked("lam", lam), checked("rho", rho, most=1.0)
    rows = rows_of(g_main=g_main, g_aux=g_aux, ema=ema)
    compiling = torch.compiler.is_compiling()
    sharded = compiling and any(x is not None and is_sharded(x) for row in rows for x in row)
    hidden = compiling and not sharded
    known = [None if compiling else alike(row) for row in rows]
    if not hidden:
        check_rows(rows, NAMES, known)
        both = zip(rows, known, strict=True)
        rows = [row if seen else agreed(row, NAMES) for row, seen in both]
    outs = [_outputs(row, seen, inplace) for row, seen in zip(rows, known, strict=True)]
    if inplace and not hidden:
        check_separate(rows, outs, NAMES, known)
    if any(direction is not None for direction, _ in outs):
        if hidden:
            call_hidden(rows, outs, lam, rho)
        elif sharded:  # collectives are no part of a program
            torch.compiler.disable(write_step)(rows, outs, lam, rho)  # type: ignore[no-untyped-call]
        else:
            write_step(rows, outs, lam, rho, known)
    return [direction for direction, _ in outs], [average for _, average in outs]


def checked(name: str, value: float | Tensor, *, most: float | None = None) -> Any:
    """Return a hyper-parameter as a float, or as the scalar tensor that it is."""
    if isinstance(value, Tensor):
        if value.ndim:
            raise ValueError(f"{name} must be a scalar; found shape {tuple(value.shape)}")
        if value.device.type != "cpu" or torch.compiler.is_compiling():
            return value
    if isinstance(value, bool | complex | str):
        raise TypeError(f"{name} must be a real number; found {value!r}")
    number = float(value)
    highest = math.inf if most is None else most
    if not 0 <= number <= highest or number == math.inf:
        raise ValueError(f"{name} must be a finite number in [0, {highest:g}]; found {number:g}")
    return number


def _outputs(row: Row, seen: Alike | None, inplace: bool) -> tuple[Tensor | None, Tensor | None]:
    """Return the memory that the direction and the next average of a leaf go to."""
    if inplace and seen is not None and seen.dtype is not None and all(seen.addresses):
        return row[1], row[2]
    return direction_for(row, inplace), average_for(row, inplace)


def direction_for(row: Row, inplace: bool) -> Tensor | None:
    """Return the memory that the direction of a leaf goes to."""
    main, aux, ema = row
    model = main if main is not None else aux if aux is not None else ema
    if model is None:
        return None
    if inplace and aux is not None and aux.dtype == model.dtype and usable(aux, like=ema):
        return aux
    return _new(ema if ema is not None else model, dtype=model.dtype)


def average_for(row: Row, inplace: bool) -> Tensor | None:
    """Return the memory that the next average of a leaf goes to: ``None`` if it stays zero."""
    main, _, ema = row
    if ema is not None:
        return ema if inplace and usable(ema, like=None) else _new(ema, dtype=ema.dtype)
    return None if main is None else _new(main, dtype=average_dtype(main.dtype))


def average_dtype(dtype: torch.dtype, least: torch.dtype = torch.float32) -> torch.dtype:
    """Return the dtype of the average of a leaf: at least float32, complex where the leaf is."""
    return torch.promote_types(dtype, least)


def usable(leaf: Tensor, *, like: Tensor | None) -> bool:
    """Whether a tensor can be written to as a flat view that is ordered as another one is."""
    if is_plain(leaf) and (like is None or like.is_contiguous()):
        return True
    return writable(leaf) and (like is None or same_memory_order(leaf, like))


def _new(like: Tensor, *, dtype: torch.dtype) -> Tensor:
    return torch.empty_like(like.detach(), dtype=dtype)
