"""The Gram matrix of vectors at any scale: each vector over its unit, where one is needed."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import jax.numpy as jnp
from jax import lax

from bloop_jax.linear import AxisName, Leaves, _finfo, largest, leaf_products, total, working_dtype
from bloop_ref._scalars import symmetric
from bloop_ref._typing import Scalar

Pairs = Sequence[tuple[int, int]]


def gram_matrix(
    vectors: Sequence[Leaves], pairs: Pairs, axis_name: AxisName
) -> tuple[list[list[Scalar]], list[Scalar]]:
    """Return inner products of vectors over their units, and these units.

    The units are 1 unless something overflows or underflows; only then are the vectors read again.
    """
    dtype = working_dtype(vectors)
    products = [total(leaf_products(vectors[i], vectors[j], dtype), axis_name) for i, j in pairs]

    def rescaled() -> list[Scalar]:
        over = [_units_of(leaf_products(x, x, dtype), dtype, axis_name) for x in vectors]
        return [
            *(
                _product_over((vectors[i], vectors[j]), (over[i], over[j]), dtype, axis_name)
                for i, j in pairs
            ),
            *(most for _, most in over),
        ]

    ones = [jnp.ones((), dtype) for _ in vectors]
    safe = jnp.stack([jnp.asarray(True), *(_in_range(x, dtype) for x in products)]).all()
    (*products,) = lax.cond(safe, lambda: [*products, *ones], rescaled)
    gram = symmetric(len(vectors), zip(pairs, products, strict=False))
    return gram, products[len(pairs) :]


Units: TypeAlias = tuple[Leaves, Scalar]
"""A unit for each leaf of a vector, and the largest of them."""


def _units_of(squares: Leaves, dtype: Any, axis_name: AxisName) -> Units:
    units = tuple(None if square is None else _unit_of(square, dtype) for square in squares)
    return units, largest(units, axis_name).astype(dtype)


def _product_over(
    vectors: tuple[Leaves, Leaves], units: tuple[Units, Units], dtype: Any, axis_name: AxisName
) -> Scalar:
    """Return an inner product of vectors over the largest units of their leaves."""
    (x, y), ((over_x, most_x), (over_y, most_y)) = vectors, units
    products = leaf_products(x, y, dtype, (over_x, over_y))
    # each leaf by a unit of its own: one that all share would be spread out at the size of leaves
    rescaled = [
        None if product is None else product * (u / most_x) * (v / most_y)
        for product, u, v in zip(products, over_x, over_y, strict=True)
    ]
    return total(rescaled, axis_name)


def _unit_of(square: Scalar, dtype: Any) -> Scalar:
    """Return a power of two over which a vector of a given ||v||^2 can be squared and summed.

    It is 1 where that went well, and two thirds of the range of exponents up or down where the sum
    overflowed or underflowed: then no square of a normal number does so again, nor n of them.
    """
    lowest, highest = _safe_range(dtype)
    far = int(_finfo(dtype).maxexp) * 2 // 3
    up = jnp.where(square <= highest, 1.0, 2.0**far)
    return jnp.where(square < lowest, 2.0**-far, up).astype(dtype)


def _in_range(product: Scalar, dtype: Any) -> Scalar:
    """Return whether a sum of products has a magnitude at which it has lost nothing that counts."""
    lowest, highest = _safe_range(dtype)
    return (jnp.abs(product) >= lowest) & (jnp.abs(product) <= highest)


def _safe_range(dtype: Any) -> tuple[float, float]:
    """Return between which magnitudes a sum of products has lost nothing that counts.

    Half of the range of exponents is left for the entries of a sum that are smaller than it.
    """
    least = float(_finfo(dtype).smallest_normal)
    return least**0.5, least**-0.75
