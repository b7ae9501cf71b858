"""What must be known of a single array, and how it is taken apart into real, wide arrays."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import array_api_compat
import numpy as np

from bloop_ref.aliases import Array, Scalar

quiet = np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore")
"""Non-finite values show in the result, as in every array library, and not as NumPy's warnings."""


def kind(leaf: Array, xp: Any) -> str:
    """Return ``real``, ``complex``, ``object`` or, for what no gradient is made of, ``other``."""
    return _kind(leaf.dtype, xp)


@lru_cache
def _kind(dtype: Any, xp: Any) -> str:
    if getattr(dtype, "kind", None) == "O":
        return "object"
    try:
        if xp.isdtype(dtype, ("real floating", "complex floating")):
            found, most = ("real", 8) if xp.isdtype(dtype, "real floating") else ("complex", 16)
            return "other" if getattr(dtype, "itemsize", 0) > most else found
    except TypeError:  # NumPy does not classify the dtypes that ml_dtypes registers with it
        return "real" if dtype.name == "bfloat16" else "other"
    return "other"


@lru_cache
def spacing(dtype: Any, xp: Any) -> float:
    """Return the distance from 1 to the next number of a floating dtype."""
    # NumPy knows no limits for the bfloat16 that ml_dtypes registers with it
    return 2.0**-7 if "bfloat16" in str(dtype) else float(xp.finfo(dtype).eps)


def is_double(dtype: Any, xp: Any) -> bool:
    """Whether a floating dtype, of either byte order, has 64 bits a part."""
    return spacing(dtype, xp) < 2.0**-50


def device(array: Array, xp: Any) -> Any:
    """Return the device of an array, or ``None`` where the library takes care of it."""
    return None if _places_itself(xp) else array_api_compat.device(array)


@lru_cache
def _places_itself(xp: Any) -> bool:
    """Whether a library has one device only, or places arrays and checks their devices itself."""
    return array_api_compat.is_numpy_namespace(xp) or array_api_compat.is_jax_namespace(xp)


def beside(scalar: Scalar, leaf: Array, xp: Any) -> Scalar:
    """Return a scalar on the device of a leaf: the leaves of a model may be spread over devices."""
    if _places_itself(xp) or not array_api_compat.is_array_api_obj(scalar):
        return scalar
    return array_api_compat.to_device(scalar, array_api_compat.device(leaf))


def gather(scalars: Sequence[Scalar], xp: Any) -> list[Scalar]:
    """Return scalars on the device of the first."""
    return [beside(scalar, scalars[0], xp) for scalar in scalars]


def parts(leaf: Array, wide: Any, xp: Any) -> tuple[Array, ...]:
    """Return the real array, or the real and imaginary ones, of a leaf in a wide dtype.

    An array of Python objects, for which ``wide`` is ``None``, is its own only part.
    """
    if wide is None:
        return (leaf,)
    real = (xp.real(leaf), xp.imag(leaf)) if kind(leaf, xp) == "complex" else (leaf,)
    return tuple(xp.astype(part, wide, copy=False) for part in real)


def join(real_parts: Sequence[Array], dtype: Any, xp: Any) -> Array:
    """Return the leaf of the given dtype that is made of the given parts, which are given up."""
    # asarray: arithmetic on zero-dimensional NumPy arrays returns scalars
    wide = [xp.asarray(part) for part in real_parts]
    if len(wide) == 1:
        return xp.astype(wide[0], dtype, copy=False)
    real, imaginary = (xp.astype(part, complex_of(part.dtype, xp)) for part in wide)
    return xp.astype(real + imaginary * 1j, dtype, copy=False)


def complex_of(dtype: Any, xp: Any) -> Any:
    """Return the complex dtype whose parts have a real dtype of at least 32 bits."""
    return xp.result_type(dtype, xp.complex64)
