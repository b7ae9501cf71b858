"""What the suite must know of an array library: conversion both ways, dtypes, memory."""

import importlib
import importlib.util
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

DTYPES = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")


@dataclass(frozen=True)
class Framework:
    """An array library that subjects are written in.

    ``module`` is what a reader imports, ``alias`` the name it gets, ``constructor`` the function
    that makes an array of a nested list. Arrays that no program can write to (``immutable``) need
    no laws about writing.
    """

    name: str
    module: str
    alias: str
    constructor: str
    immutable: bool = False

    @property
    def xp(self) -> Any:
        """The imported module; raises ``ImportError`` where it is not installed."""
        return importlib.import_module(self.module)

    @property
    def imports(self) -> str:
        """The first lines of a program that uses the library as it is used now."""
        line = f"import {self.module}" + (f" as {self.alias}" if self.alias != self.module else "")
        if self.name == "jax" and _jax_has_x64():
            return f'import jax\n{line}\njax.config.update("jax_enable_x64", True)'
        return line

    def dtypes(self) -> tuple[str, ...]:
        """Return the names of the floating dtypes that gradients can have here and now."""
        lacking: set[str] = set()
        if self.name in ("numpy", "cupy") or importlib.util.find_spec("ml_dtypes") is None:
            lacking.add("bfloat16")
        if self.name == "jax" and not _jax_has_x64():
            lacking |= {"float64", "complex128"}
        return tuple(name for name in DTYPES if name not in lacking)

    def array(self, values: np.ndarray) -> Any:
        """Return a new array of the library with the values and dtype of a NumPy array."""
        if self.name == "numpy":
            return np.array(values)  # an array also where arithmetic has made a scalar
        if self.name != "torch":
            return self.xp.asarray(values)
        if values.dtype.name == "bfloat16":  # torch reads no NumPy array of this dtype
            return self.xp.tensor(values.astype(np.float32)).to(self.xp.bfloat16)
        return self.xp.tensor(values)

    def laid_out(self, values: np.ndarray, layout: str) -> Any:
        """Return the same in another layout, as far as arrays of the library have layouts.

        ``"strided"`` has something else between any two entries, ``"reversed"`` has negative
        strides, which torch has not, and ``"fortran"`` has the first axis vary fastest.
        """
        if layout == "contiguous" or self.immutable:
            return self.array(values)
        if layout == "fortran":
            turned = self.array(np.ascontiguousarray(values.T).reshape(values.shape[::-1]))
            axes = tuple(range(values.ndim))[::-1]
            return turned.permute(axes) if self.name == "torch" else turned.transpose(axes)
        if layout == "reversed" and self.name != "torch":
            back = (slice(None, None, -1),) * values.ndim
            return self.array(np.ascontiguousarray(values[back]).reshape(values.shape))[back]
        return self.array(np.stack([values, np.full_like(values, 7)], axis=-1))[..., 0]

    def numpy(self, array: Any) -> np.ndarray:
        """Return an array of the library as a new NumPy array of the same dtype."""
        if self.name == "cupy":
            return np.asarray(self.xp.asnumpy(array))
        if self.name == "torch":
            array = array.detach().cpu().resolve_conj().resolve_neg()
            if array.dtype == self.xp.bfloat16:  # NumPy's own dtypes do not include it
                return np.array(array.float().numpy(), dtype=bfloat16())
            array = array.numpy()
        return np.array(array)

    def is_array(self, value: Any) -> bool:
        """Whether a value is an array of the library; NumPy's scalars are zero-dimensional ones."""
        if self.name == "numpy":
            return isinstance(value, np.ndarray | np.generic)
        kind = {"torch": "Tensor", "jax": "Array", "cupy": "ndarray"}[self.name]
        module = importlib.import_module("jax") if self.name == "jax" else self.xp
        return isinstance(value, getattr(module, kind))

    def overwrite(self, array: Any) -> None:
        """Write over an array in place, to see what else changes; a read-only one stays."""
        if self.name == "torch":
            with self.xp.inference_mode():  # tensors that were made in it can be written to in it
                array.detach()[...] = 7.0
        elif self.name != "numpy" or array.flags.writeable:
            array[...] = 7.0

    def literal(self, values: np.ndarray) -> str:
        """Return source that makes the array of the library, bit for bit."""
        dtype = f"dtype={self.alias}.{values.dtype.name}"
        if 0 in values.shape:
            return f"{self.alias}.zeros({values.shape}, {dtype})"
        wide = values.astype(np.complex128 if values.dtype.kind == "c" else np.float64)
        return f"{self.alias}.{self.constructor}({_nested(wide.tolist())}, {dtype})"


def _nested(values: Any) -> str:
    if isinstance(values, list):
        return f"[{', '.join(map(_nested, values))}]"
    return number(values)


def number(value: Any) -> str:
    """Return a number as source that rebuilds it bit for bit: NaN, infinities and -0 too."""
    if isinstance(value, complex):
        return f"complex({number(value.real)}, {number(value.imag)})"
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def _jax_has_x64() -> bool:
    return bool(importlib.import_module("jax").config.jax_enable_x64)


def bfloat16() -> Any:
    """Return NumPy's dtype for bfloat16, which ml_dtypes registers."""
    return importlib.import_module("ml_dtypes").bfloat16


FRAMEWORKS = {
    framework.name: framework
    for framework in (
        Framework("numpy", "numpy", "np", "array"),
        Framework("torch", "torch", "torch", "tensor"),
        Framework("jax", "jax.numpy", "jnp", "array", immutable=True),
        Framework("cupy", "cupy", "cp", "array"),
    )
}


def framework_named(name: str) -> Framework:
    """Return a framework; raise ``ValueError`` for one that is not known or not installed."""
    if name not in FRAMEWORKS:
        raise ValueError(f"framework must be one of {tuple(FRAMEWORKS)}; found {name!r}")
    try:
        importlib.import_module(FRAMEWORKS[name].module)
    except ImportError as error:
        install = f'pip install "bloop-ref[{name}]"'
        raise ValueError(f"framework {name} cannot be imported ({error}): {install}") from error
    return FRAMEWORKS[name]
