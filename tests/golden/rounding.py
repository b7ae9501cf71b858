"""Rounding an exact number to a floating format, once."""

import math
from fractions import Fraction

from bloop_proofs.vectors.formats import FORMATS


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
