"""What the methods need of scalars beside arithmetic: choices, roots and quotients, on any number.

A scalar is a Python number, a fraction, a symbol or a zero-dimensional array, maybe traced or lazy.
So a choice between values is a ``where``, and NaN is never on the losing side of a comparison.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

import array_api_compat

from bloop_ref._scalars import ratio
from bloop_ref._typing import Scalar


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


def over(x: Scalar, unit: Scalar) -> Scalar:
    """Return x / unit; over the unit 1 of exact numbers x itself, an integer or not."""
    return x if type(unit) is int and unit == 1 else x / unit


def largest(units: Sequence[Scalar]) -> Scalar:
    """Return the largest unit."""
    return reduce(lambda x, y: where(y > x, y, x), units)


def relative(units: Sequence[Scalar]) -> list[Scalar]:
    """Return the units over the largest of them; what is too small to matter beside it is 0."""
    most = largest(units)
    return [over(unit, most) for unit in units]


def cosine(xy: Scalar, xx: Scalar, yy: Scalar) -> Scalar:
    """Return the cosine of two vectors of the given inner products, 0 where one is zero."""
    return clip(ratio(xy, root(xx * yy)), -1, 1)


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


def concrete(method: str, rows: Sequence[Sequence[Scalar]]) -> list[list[Any]]:
    """Return scalars as Python numbers; exact ones stay as they are.

    Raises ``TypeError`` for traced and lazy arrays, whose values cannot be read.
    """
    return [[_read(method, x) for x in row] for row in rows]


def _read(method: str, x: Scalar) -> Any:
    if not array_api_compat.is_array_api_obj(x):
        return x
    required = f"{method} of more than two gradients searches by their values, "
    if array_api_compat.is_dask_array(x):
        raise TypeError(f"{required}which must be at hand; found a lazy array")
    try:
        return float(x)
    except (TypeError, RuntimeError) as error:
        raise TypeError(f"{required}which must be at hand; found a traced array") from error
