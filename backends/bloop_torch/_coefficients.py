"""The reference's coefficient matrix on scalars that are floats, or tensors that nobody reads."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from bloop_ref.coefficients import ema_row, step_matrix

Matrix: TypeAlias = tuple[tuple[Any, ...], ...]
"""One row of coefficients per output; the integers 0 and 1 are exact and cost nothing."""

FORM = step_matrix(1.0, 1.0, lam=1.0, rho=1.0)
"""Which entries are integers: all others depend on the scalars."""


def matrix_of(ae: Any, ee: Any, *, lam: Any, rho: Any) -> Matrix:
    """Return rows (direction, new EMA), columns (g_main, g_aux, e); see ``step_matrix``."""
    if not torch.compiler.is_compiling():
        return step_matrix(ae, ee, lam=lam, rho=rho)
    entries = iter(_computed(ae, ee, _scalar(lam, ae), _scalar(rho, ae)))
    return tuple(tuple(x if type(x) is int else next(entries) for x in row) for row in FORM)


def _entries(ae: Tensor, ee: Tensor, lam: Tensor, rho: Tensor) -> tuple[Tensor, ...]:
    matrix = step_matrix(ae, ee, lam=lam, rho=rho)
    return tuple(x for row in matrix for x in row if type(x) is not int)


# not traced into: the array library is looked up in caches that the compiler warns of
_untraced: Any = torch.compiler.allow_in_graph
_computed: Callable[..., tuple[Tensor, ...]] = _untraced(_entries)


def _scalar(value: Any, like: Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=like.dtype, device=like.device)


def averaging(rho: Any) -> Matrix:
    """Return the row of the new EMA alone, over (g_main, g_aux, e); see ``ema_row``."""
    on_main, on_ema = ema_row(rho=rho)
    return ((on_main, 0, on_ema),)
