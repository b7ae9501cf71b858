"""Scalars: checked where they can be read, never forced where they cannot; and their algebra.

A scalar is a Python number, a fraction, a symbol or a zero-dimensional array, maybe traced or lazy.
So a choice between values is a ``where``, and NaN is never on the losing side of a comparison.
"""

import math
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

import array_api_compat

from bloop_ref.aliases import Scalar, Schedule
from bloop_ref.arrays import kind
from bloop_ref.vectors import Stack

MOST = sys.float_info.max


def as_scalar(name: str, value: Scalar, stack: Stack, *, most: float | None = None) -> Scalar:
    """Check that a hyper-parameter is in range; bring it into the vectors' arithmetic.

    Raises ``TypeError`` for what is no real number, or an array of another library, and
    ``ValueError`` for a negative or infinite value, one above ``most``, or an array with
    dimensions. A value that cannot be read (traced, lazy) or not without waiting (on another device
    than a CPU) is not checked.
    """
    check_range(name, value, most=most)
    if stack.wide is None:
        return Fraction(value) if isinstance(value, int) else value
    if (
        type(value) in (float, int)
        or not array_api_compat.is_array_api_obj(value)
        or array_api_compat.is_numpy_array(value)
    ):
        return float(value)
    found = array_api_compat.array_namespace(value)
    if found is not stack.xp:
        raise TypeError(
            f"{name} must be a number or an array of the gradients' library: "
            f"required {stack.xp.__name__}, found {found.__name__}"
        )
    return stack.scalar(value)


def check_range(name: str, value: Scalar, *, most: float | None = None) -> None:
    """Raise unless a value is a real scalar in [0, most], as far as that can be told."""
    required = (
        "must be a finite number >= 0" if most is None else f"must be a number in [0, {most}]"
    )
    if type(value) in (float, int) and 0 <= value <= (MOST if most is None else most):
        return  # as nearly all are, and soon said
    check_number(name, value, required)
    if is_at_hand(value) and known_false(lambda: _in_range(value, most)):
        raise ValueError(f"{name} {required}; found {value}")


def check_number(name: str, value: Scalar, required: str) -> None:
    """Raise unless a value is a real number, as a scalar."""
    if array_api_compat.is_array_api_obj(value):
        xp = array_api_compat.array_namespace(value)
        if tuple(value.shape) != ():
            raise ValueError(f"{name} {required}; found an array of shape {tuple(value.shape)}")
        if value.dtype == xp.bool or kind(value, xp) == "complex":
            raise TypeError(f"{name} {required}; found an array of dtype {value.dtype}")
    elif not _is_number(value):
        raise TypeError(f"{name} {required}; found {value!r}")


def check_count(name: str, value: Scalar) -> None:
    """Raise unless a value is an integer scalar, not negative where it is read without waiting."""
    required = "must be an integer >= 0"
    if array_api_compat.is_array_api_obj(value):
        xp = array_api_compat.array_namespace(value)
        if tuple(value.shape) != () or not xp.isdtype(value.dtype, "integral"):
            raise TypeError(
                f"{name} {required}; found an array of shape {tuple(value.shape)} and dtype "
                f"{value.dtype}"
            )
        if not array_api_compat.is_numpy_array(value):
            return  # a counter stays on its device, unread
    elif type(value) is not int:
        raise TypeError(f"{name} {required}; found {value!r}")
    if value < 0:
        raise ValueError(f"{name} {required}; found {value}")


def is_at_hand(value: Scalar) -> bool:
    """Whether a scalar can be read without waiting for another device."""
    if not array_api_compat.is_array_api_obj(value):
        return True
    return "cpu" in str(array_api_compat.device(value)).lower()


def _in_range(value: Scalar, most: float | None) -> Any:
    if most is not None:
        return (value >= 0) & (value <= most)
    if array_api_compat.is_array_api_obj(value):
        return (value >= 0) & array_api_compat.array_namespace(value).isfinite(value)
    return (value >= 0) & (value < math.inf)


def check_schedule(name: str, schedule: Schedule, *, most: float | None = None) -> None:
    """Check a hyper-parameter that is no function of the step count before it is used."""
    if not callable(schedule):
        check_range(name, schedule, most=most)


def check_choice(name: str, choice: Any, choices: Sequence[Any]) -> None:
    """Raise unless an option is one of its choices."""
    if choice not in choices:
        raise ValueError(f"{name} must be one of {choices}; found {choice!r}")


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


def ratio(numerator: Scalar, denominator: Scalar) -> Scalar:
    """Return ``numerator / denominator``, and 0 where the denominator is 0.

    Example:
        >>> ratio(-15.0, 25.0), ratio(1.0, 0.0)
        (-0.6, 0)
    """
    if not array_api_compat.is_array_api_obj(denominator):
        return 0 if denominator == 0 else numerator / denominator
    xp = array_api_compat.array_namespace(denominator)
    divisor = denominator
    if array_api_compat.is_dask_array(denominator):  # computed later, where warnings are not quiet
        divisor = xp.where(denominator == 0, xp.ones_like(denominator), denominator)
    # the denominator is the zero at hand: on a GPU another one would be a launch of its own
    return xp.where(denominator == 0, denominator, numerator / divisor)


def where(condition: Any, x: Scalar, y: Scalar) -> Scalar:
    """Return x where a condition holds, else y. Under an array condition one is an array."""
    if not array_api_compat.is_array_api_obj(condition):
        return x if condition else y
    xp = array_api_compat.array_namespace(condition)
    like = x if array_api_compat.is_array_api_obj(x) else y
    x, y = (
        z if array_api_compat.is_array_api_obj(z) else xp.full_like(like, float(z)) for z in (x, y)
    )
    return xp.where(condition, x, y)


def positive_part(x: Scalar) -> Scalar:
    """Return max(x, 0), NaN where x is."""
    if not array_api_compat.is_array_api_obj(x):
        return x if x > 0 else 0 * x
    xp = array_api_compat.array_namespace(x)
    return xp.maximum(x, xp.zeros_like(x))


def minimum(x: Scalar, y: Scalar) -> Scalar:
    """Return the smaller of two scalars, NaN where either is."""
    smaller = where(y < x, y, x)
    return where(y == y, smaller, y)


def clip(x: Scalar, least: int, most: int) -> Scalar:
    """Return the number in [least, most] nearest to x, NaN where x is."""
    return where(x < least, least + 0 * x, where(x > most, most + 0 * x, x))


def root(square: Scalar) -> Scalar:
    """Return the square root: exact on symbols and squares of fractions, else right to 127 bits."""
    if array_api_compat.is_array_api_obj(square):
        return array_api_compat.array_namespace(square).sqrt(square)
    if isinstance(square, int | Fraction):
        numerator, denominator = square.as_integer_ratio()
        product = numerator * denominator
        bits = max(0, 128 - product.bit_length() // 2)
        return Fraction(math.isqrt(product << 2 * bits), denominator << bits)
    return math.sqrt(square) if isinstance(square, float) else square ** Fraction(1, 2)


def cosine(xy: Scalar, xx: Scalar, yy: Scalar) -> Scalar:
    """Return the cosine of two vectors of the given inner products, 0 where one is zero."""
    return clip(ratio(xy, root(xx) * root(yy)), -1, 1)


def dot(weights: Sequence[Scalar], values: Sequence[Scalar]) -> Scalar:
    """Return sum_k weights[k] values[k]; a weight that is the integer 0 leaves its value unread."""
    terms = [w * x for w, x in zip(weights, values, strict=True) if not is_nothing(w)]
    return reduce(lambda x, y: x + y, terms)


def is_nothing(weight: Scalar) -> bool:
    """Whether a weight is the integer 0, which a formula has and no computed zero is."""
    return type(weight) is int and weight == 0


def pick(items: Sequence[Scalar], index: Any) -> Scalar:
    """Return an item by its number, which may be traced."""
    if isinstance(index, int):
        return items[index]
    numbered = list(enumerate(items))
    return reduce(
        lambda found, item: where(index == item[0], item[1], found), numbered[1:], items[0]
    )


def add_at(items: Sequence[Scalar], index: Any, value: Scalar) -> list[Scalar]:
    """Return the items with a value added to one of them, whose number may be traced."""
    if isinstance(index, int):
        return [x + value if k == index else x for k, x in enumerate(items)]
    return [where(index == k, x + value, x) for k, x in enumerate(items)]
