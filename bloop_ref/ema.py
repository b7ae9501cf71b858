"""The moving average of main gradients: its update, its start, and what a bad batch does to it."""

from dataclasses import dataclass
from functools import reduce
from typing import Any

from bloop_ref._arrays import beside, complex_of, gather, kind
from bloop_ref._columns import combination, quiet
from bloop_ref._scalars import as_scalar, check_choice, known_false
from bloop_ref._typing import Array, Leaves, Scalar, Vector
from bloop_ref._vectors import Columns, align
from bloop_ref.coefficients import ema_row


@quiet
def update_ema(ema: Vector, g_main: Vector, *, rho: Scalar) -> Vector:
    """Return the next moving average of main gradients, (1 - rho) ema + rho g_main.

    Args:
        ema: the moving average so far, a pytree of arrays; ``None`` is zero.
        g_main: the main gradient of this step, of the same structure, shapes and library.
        rho: the weight of the *new* gradient, a number or zero-dimensional array in [0, 1].

    Returns:
        The average, with the dtypes of ``ema``; at least float32 where ``ema`` is ``None``.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: structures, shapes or devices differ, or rho is outside [0, 1].

    Example:
        >>> import numpy as np
        >>> update_ema(np.array([1.0, 0.0]), np.array([3.0, 4.0]), rho=0.25)
        array([1.5, 1. ])

    Source: Algorithm 1, after the step has been taken; section 2.2.
    """
    columns = align(g_main=g_main, ema=ema)
    rho = as_scalar("rho", rho, columns, most=1)
    return columns.unflatten(_average(columns, rho))


def _average(columns: Columns, rho: Scalar) -> Leaves:
    """Return the next average, for the columns (g_main, ema)."""
    dtypes = [
        _average_dtype(g, None, columns.xp) if leaf is None else leaf.dtype
        for g, leaf in zip(*columns.leaves, strict=True)
    ]
    return combination(columns, ema_row(rho=rho), dtypes=dtypes)


def _average_dtype(leaf: Array | None, chosen: Any, xp: Any) -> Any:
    """Return the dtype of the average of a leaf: complex where the leaf is, at least float32."""
    if leaf is None:
        return None
    if kind(leaf, xp) == "object":
        return leaf.dtype
    if chosen is None:
        return xp.result_type(leaf.dtype, xp.float32)
    return complex_of(chosen, xp) if kind(leaf, xp) == "complex" else chosen


@dataclass(frozen=True)
class Tracking:
    """How an average is kept from step to step: the options that ``Bloop`` documents."""

    project_on: str
    init: str
    nonfinite: str
    ema_dtype: Any

    def __post_init__(self) -> None:
        """Check the options."""
        check_choice("project_on", self.project_on, ("previous", "updated"))
        check_choice("init", self.init, ("zeros", "first"))
        check_choice("nonfinite", self.nonfinite, ("skip", "raise", "propagate"))

    def zeros(self, columns: Columns) -> Leaves:
        """Return a zero average for gradients like the first column."""
        xp, chosen = columns.xp, self.ema_dtype
        chosen = getattr(xp, chosen, chosen) if isinstance(chosen, str) else chosen
        if chosen is not None and not _holds_an_average(chosen, xp):
            raise ValueError(
                "ema_dtype must be None, float32 or float64 of the gradients' library: a narrower "
                "average stops moving once rho times the difference is below its spacing; "
                f"found {self.ema_dtype!r}"
            )
        return tuple(
            None if x is None else xp.zeros_like(x, dtype=_average_dtype(x, chosen, xp))
            for x in columns.leaves[0]
        )

    def advance(
        self, name: str, columns: Columns, *, rho: Scalar, fresh: Scalar
    ) -> tuple[Leaves, Leaves, Scalar]:
        """Return the average to project on, the next one, and 1 if the gradient was kept out.

        Args:
            name: what the user calls the gradient.
            columns: the gradient and the average so far.
            rho: the weight of the gradient.
            fresh: whether no gradient has entered the average yet.
        """
        gradient, ema = columns.leaves
        before = ema
        if self.init == "first":
            before = _choose(columns, fresh, _average(columns, rho=1), ema)
        after = _average(columns.of(gradient, before), rho)
        kept_out: Scalar = 0
        if self.nonfinite != "propagate":
            finite = _all_finite(columns)
            if self.nonfinite == "raise" and known_false(lambda: finite):
                raise FloatingPointError(f"{name} must be finite; found NaN or infinity in it")
            after = _choose(columns, finite, after, ema)
            kept_out = 1 - columns.xp.astype(finite, columns.xp.int32)
        return (after if self.project_on == "updated" else before), after, kept_out


def _all_finite(columns: Columns) -> Scalar:
    """Return whether every entry of the first column is finite, as an array that is not read."""
    xp = columns.xp
    flags = [
        xp.all(xp.isfinite(leaf))
        for leaf in columns.leaves[0]
        if leaf is not None and kind(leaf, xp) != "object"
    ]
    return reduce(xp.logical_and, gather(flags, xp)) if flags else columns.scalar(True, xp.bool)


def _choose(columns: Columns, condition: Scalar, new: Leaves, old: Leaves) -> Leaves:
    """Return one vector or the other without reading the condition; a ``None`` leaf is zero."""
    xp = columns.xp
    return tuple(
        None
        if x is None
        else xp.where(beside(condition, x, xp), x, xp.zeros_like(x) if y is None else y)
        for x, y in zip(new, old, strict=True)
    )


def _holds_an_average(dtype: Any, xp: Any) -> bool:
    try:
        return bool(xp.isdtype(dtype, "real floating") and float(xp.finfo(dtype).eps) < 2.0**-22)
    except (TypeError, ValueError, AttributeError):  # each library's word for "no dtype of mine"
        return False
