"""The reference's coefficient matrix on scalars that are floats, or tensors that nobody reads."""

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
    scalars = ae, ee, scalar(lam, ae), scalar(rho, ae)
    entries = iter(torch.ops.bloop_torch.entries(*scalars))
    return tuple(tuple(x if type(x) is int else next(entries) for x in row) for row in FORM)


def _entries(ae: Tensor, ee: Tensor, lam: Tensor, rho: Tensor) -> list[Tensor]:
    matrix = step_matrix(ae, ee, lam=lam, rho=rho)
    return [x for row in matrix for x in row if type(x) is not int]


# An operator, so that its Python is not traced into: the array library is looked up in caches that
# the compiler warns of. What it consists of is traced, and fused with the rest.
_make_library: Any = torch.library.Library
_library = _make_library("bloop_torch", "FRAGMENT")
_library.define("entries(Tensor ae, Tensor ee, Tensor lam, Tensor rho) -> Tensor[]")
_library.impl("entries", _entries, "CompositeImplicitAutograd")


def scalar(value: Any, like: Tensor) -> Tensor:
    """Return a number as a tensor of some dtype, on some device; while a program is compiled, too.

    A product, since the constructors of tensors would have it compiled anew for another number.
    """
    return torch.ones_like(like) * (value.to(like) if isinstance(value, Tensor) else value)


def averaging(rho: Any) -> Matrix:
    """Return the row of the new EMA alone, over (g_main, g_aux, e); see ``ema_row``."""
    on_main, on_ema = ema_row(rho=rho)
    return ((on_main, 0, on_ema),)
