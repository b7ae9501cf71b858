"""Hyper-parameters: checked where they can be read, never forced where they cannot."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import array_api_compat

from bloop_ref._arrays import kind
from bloop_ref._typing import Array, Scalar, Schedule
from bloop_ref._vectors import Columns


def as_scalar(name: str, value: Scalar, columns: Columns, *, most: int | None = None) -> Scalar:
    """Check that a hyper-parameter is in range; bring it into the vectors' arithmetic.

    Raises ``TypeError`` for what is no real number, or an array of another library, and
    ``ValueError`` for a negative or infinite value, one above ``most``, or an array with
    dimensions. A value that cannot be read (traced, lazy) or not without waiting (on another device
    than a CPU) is not checked.
    """
    check_range(name, value, most=most)
    if columns.wide is None:
        return value
    if not array_api_compat.is_array_api_obj(value) or array_api_compat.is_numpy_array(value):
        return float(value)
    found = array_api_compat.array_namespace(value)
    if found is not columns.xp:
        raise TypeError(
            f"{name} must be a number or an array of the gradients' library: "
            f"required {columns.xp.__name__}, found {found.__name__}"
        )
    return columns.scalar(value)


def check_range(name: str, value: Scalar, *, most: int | None = None) -> None:
    """Raise unless a value is a real scalar in range, as far as that can be told."""
    required = f"{name} must be a finite number >= 0"
    if most is not None:
        required = f"{name} must be a number in [0, {most}]"
    if array_api_compat.is_array_api_obj(value):
        xp = array_api_compat.array_namespace(value)
        if tuple(value.shape) != ():
            raise ValueError(f"{required}; found an array of shape {tuple(value.shape)}")
        if value.dtype == xp.bool or kind(value, xp) == "complex":
            raise TypeError(f"{required}; found an array of dtype {value.dtype}")
    elif not _is_number(value):
        raise TypeError(f"{required}; found {value!r}")
    if _at_hand(value) and known_false(lambda: _in_range(value, most)):
        raise ValueError(f"{required}; found {value}")


def _at_hand(value: Scalar) -> bool:
    """Whether a scalar can be read without waiting for another device."""
    if not array_api_compat.is_array_api_obj(value):
        return True
    return "cpu" in str(array_api_compat.device(value)).lower()


def _in_range(value: Scalar, most: int | None) -> Any:
    if most is not None:
        return (value >= 0) & (value <= most)
    if array_api_compat.is_array_api_obj(value):
        return (value >= 0) & array_api_compat.array_namespace(value).isfinite(value)
    return (value >= 0) & (value < math.inf)


def check_schedule(name: str, schedule: Schedule, *, most: int | None = None) -> None:
    """Check a hyper-parameter that is no function of the step count before it is used."""
    if not callable(schedule):
        check_range(name, schedule, most=most)


def check_choice(name: str, choice: Any, choices: Sequence[Any]) -> None:
    """Raise unless an option is one of its choices."""
    if choice not in choices:
        raise ValueError(f"{name} must be one of {choices}; found {choice!r}")


def at_step(schedule: Schedule, count: Array) -> Scalar:
    """Return the value of a hyper-parameter after ``count`` steps."""
    return schedule(count) if callable(schedule) else schedule


def _is_number(value: Any) -> bool:
    """Whether a value that is no array takes part in real arithmetic: a number or a symbol."""
    return not isinstance(value, bool | complex | str | bytes | list | tuple) and all(
        hasattr(value, method) for method in ("__mul__", "__sub__", "__lt__")
    )


def known_false(condition: Callable[[], Any]) -> bool:
    """Whether a condition is known to be false, asked without forcing a lazy computation."""
    holds = condition()
    if array_api_compat.is_dask_array(holds):
        return False
    try:
        return not holds
    except (TypeError, RuntimeError):  # a tracer, a batch or a symbol has no truth value
        return False


def symmetric(size: int, entries: Iterable[tuple[tuple[int, int], Any]]) -> list[list[Any]]:
    """Return a symmetric matrix of entries given at (i, j) in either order, ``None`` elsewhere."""
    matrix: list[list[Any]] = [[None] * size for _ in range(size)]
    for (i, j), entry in entries:
        matrix[i][j] = matrix[j][i] = entry
    return matrix


def ratio(numerator: Scalar, denominator: Scalar) -> Scalar:
    """Return ``numerator / denominator``, and 0 where the denominator is 0."""
    if not array_api_compat.is_array_api_obj(denominator):
        return 0 if denominator == 0 else numerator / denominator
    xp = array_api_compat.array_namespace(denominator)
    zero = denominator == 0
    quotient = numerator / xp.where(zero, xp.ones_like(denominator), denominator)
    return xp.where(zero, xp.zeros_like(quotient), quotient)
