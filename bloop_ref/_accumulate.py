"""Arithmetic in twice the working precision, for leaves that no wider dtype can hold.

A float32 leaf is accumulated in float64. A float64 leaf has nothing wider to go to, nor has a
float32 leaf on a device without float64; for these the rounding error of every product and sum is
kept in a second array. The building blocks are error-free transformations (Knuth's two-sum,
Dekker's product with Veltkamp's splitting): the pair they return holds the result exactly.

So a result of the reference is the exact one rounded, to second order, whatever the length of the
vectors, and the same in every array library however that library sums: it is what others are held
against. Plain sums would err by n roundings, differently everywhere, and by float32 roundings where
JAX has no float64. Operands must be scaled well inside the exponent range by ``power_of_two``: a
product that overflows or underflows has no exact pair.
"""

from typing import Any, TypeAlias

import numpy as np

from bloop_ref.aliases import Array, Scalar
from bloop_ref.arrays import device, is_double

Pair: TypeAlias = tuple[Scalar, Scalar]
"""Two arrays whose sum, not rounded, is what is meant; the first nearly is."""

POWERS = np.ldexp(1.0, np.arange(-1022, 1024))


def power_of_two(magnitude: Scalar, dtype: Any, xp: Any) -> Scalar:
    """Return a power of two near a magnitude: their quotient lies in [1/2, 4].

    Division by a power of two rounds nothing, so a neighbour of the nearest power, which a rounded
    logarithm may pick, serves as well. Zero gives the least normal power, so that it never is the
    largest of several; NaN and infinity give 1 and are left to propagate.
    """
    most = 1023 if float(xp.finfo(dtype).smallest_normal) < 2.0**-126 else 127
    usable = xp.where(xp.isfinite(magnitude), magnitude, xp.ones_like(magnitude))
    logarithm = xp.log2(xp.clip(usable, 2.0 ** (1 - most)))
    exponent = xp.clip(xp.floor(logarithm), 1 - most, most)
    powers = xp.asarray(
        POWERS[1023 - most : 1023 + most], dtype=dtype, device=device(magnitude, xp)
    )
    place = xp.astype(exponent, xp.int32) + (most - 1)
    return xp.take(powers, xp.expand_dims(place, axis=0), axis=0)[0]


def two_sum(x: Scalar, y: Scalar) -> Pair:
    """Return ``(s, e)`` with ``s = fl(x + y)`` and ``s + e = x + y`` exactly."""
    s = x + y
    y_seen = s - x
    return s, (x - (s - y_seen)) + (y - y_seen)


def bits(dtype: Any, xp: Any) -> int:
    """Return how many bits of a number of some dtype make its low half."""
    return 27 if is_double(dtype, xp) else 12


def _split(x: Scalar, low: int) -> tuple[Scalar, Scalar]:
    """Return ``x`` as a sum of two numbers, the low one of so many bits."""
    shifted = x * (2.0**low + 1.0)
    high = shifted - (shifted - x)
    return high, x - high


def two_product(x: Array, y: Scalar, xp: Any) -> Pair:
    """Return ``(p, e)`` with ``p = fl(x * y)`` and ``p + e = x * y`` exactly."""
    low = bits(x.dtype, xp)
    p = x * y
    (x_high, x_low), (y_high, y_low) = _split(x, low), _split(y, low)
    error = x_low * y_low - (((p - x_high * y_high) - x_low * y_high) - x_high * y_low)
    return p, error


def plus(x: Pair, y: Pair) -> Pair:
    """Return the sum of two pairs ``(total, error)`` as such a pair."""
    total, carry = two_sum(x[0], y[0])
    return total, carry + (x[1] + y[1])


def settle(pair: Pair, xp: Any) -> Scalar:
    """Round ``total + error`` once; an infinite total, whose error is NaN, stays infinite."""
    total, error = pair
    return xp.where(xp.isfinite(error), total + error, total)


def dot(x: Array, y: Array, xp: Any) -> Pair:
    """Return the inner product of two real arrays of one shape as a pair ``(total, error)``.

    The products are folded in halves, so the error of the pair is of second order:
    at most ``(2 + log2 n)**2 u**2 ||x|| ||y||``, u the unit roundoff.
    """
    total, error = (xp.reshape(of_product, (-1,)) for of_product in two_product(x, y, xp))
    while (size := total.shape[0]) > 1:
        half = size // 2
        folded, lost = plus(
            (total[:half], error[:half]), (total[half : 2 * half], error[half : 2 * half])
        )
        total = xp.concat([folded, total[2 * half :]])
        error = xp.concat([lost, error[2 * half :]])
    return xp.sum(total), xp.sum(error)
