"""The floating formats."""

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
