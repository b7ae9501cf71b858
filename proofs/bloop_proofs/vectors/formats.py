"""The floating formats, and how an exact number is rounded to one of them, once."""

import math
from fractions import Fraction
from typing import NamedTuple


class Format(NamedTuple):
    """A binary format: bits of the significand, exponents of the least and greatest normal one."""

    bits: int
    least: int
    most: int

    @property
    def roundoff(self) -> float:
        """The unit roundoff, half the spacing at 1."""
        return 2.0**-self.bits


_SINGLE, _DOUBLE = Format(24, -126, 127), Format(53, -1022, 1023)

FORMATS = {
    "float64": _DOUBLE,
    "float32": _SINGLE,
    "float16": Format(11, -14, 15),
    "bfloat16": Format(8, -126, 127),
    "complex128": _DOUBLE,
    "complex64": _SINGLE,
}
"""The format of a dtype's real numbers; a complex entry is a pair of them."""


def ema_dtype(dtype: str) -> str:
    """Return the dtype of the EMA of gradients of a dtype: the same, but at least float32."""
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def nearest(exact: Fraction, dtype: str) -> float:
    """Return the number of a dtype that is nearest to an exact one, of two the even one.

    There is one rounding, whether the result is normal, subnormal or zero; from half a spacing
    beyond the greatest finite number on it is infinite (IEEE 754, roundTiesToEven). Every number
    of these dtypes is a Python float.

    Example:
        >>> nearest(Fraction(1, 3), "float16")
        0.333251953125
        >>> nearest(Fraction(65520), "float16"), nearest(Fraction(65519), "float16")
        (inf, 65504.0)
    """
    bits, least, most = FORMATS[dtype]
    if exact == 0:
        return 0.0
    exponent = exact.numerator.bit_length() - exact.denominator.bit_length()
    if abs(exact) < Fraction(2) ** exponent:
        exponent -= 1
    spacing = max(exponent, least) - bits + 1
    multiple = round(abs(exact) / Fraction(2) ** spacing)  # Python rounds fractions half to even
    overflows = multiple >= 2 ** (most + 1 - spacing)
    magnitude = math.inf if overflows else math.ldexp(multiple, spacing)
    return magnitude if exact > 0 else -magnitude
