"""All that needs a device: memory of its own, kernels, scalars.

The rest of the package lays out tables and arguments, and touches no device.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any

import cupy as cp
import numpy as np

from bloop_ref.aliases import Array, Scalar
from bloop_ref.gramian import MOST_APART, SAFE

THREADS, ENTRIES = 256, 8192
"""The threads of a block, and the entries that a block reduces or combines."""

C_TYPES = {
    "float16": "Half",
    "bfloat16": "Brain",
    "float32": "float",
    "complex64": "float",  # of both parts
    "float64": "double",
    "complex128": "double",
}

Signature = tuple[str, ...]
"""The C types of g_main, g_aux, ema, the direction and the new average."""


def prelude(signature: Signature, peaks: bool) -> str:
    """Return what stands before the text of the kernels."""
    types = [f"typedef {name} C{j};" for j, name in enumerate(signature)]
    constants = {
        "THREADS": THREADS,
        "ENTRIES": f"{ENTRIES}ll",
        "PEAKS": int(peaks),
        "SAFE": SAFE.hex(),
        "APART": MOST_APART.hex(),
    }
    defined = [f"#define {name} {value}" for name, value in constants.items()]
    return "\n".join([*types, *defined, ""])


def source(signature: Signature, peaks: bool) -> str:
    """Return the text of the kernels for one signature; ``peaks`` watches the range of float64."""
    here = Path(__file__).parent
    halves, kernels = ((here / name).read_text() for name in ("halves.cu", "kernels.cu"))
    return halves + prelude(signature, peaks) + kernels


@cache
def _module(signature: Signature, peaks: bool) -> Any:
    return cp.RawModule(code=source(signature, peaks), options=("-std=c++17",))


def run(name: str, signature: Signature, peaks: bool, blocks: int, *arguments: Any) -> None:
    """Launch one kernel. It is compiled on first use, and stays compiled on disk."""
    # asked for each time: a function belongs to the device that it was asked for on
    kernel = _module(signature, peaks).get_function(name)
    kernel((blocks,), (THREADS if name != "pack" else 1,), arguments)


def upload(table: np.ndarray) -> Array:
    """Return a table on the device; the host does not wait."""
    return cp.asarray(table)


def on(device: Any) -> AbstractContextManager[Any]:
    """Return the context in which a device is the current one."""
    return nullcontext() if device is None else device


def scalars(sums: Array) -> tuple[Scalar, ...]:
    """Return numbers on the device as scalars, which nothing reads."""
    return tuple(sums[k] for k in range(sums.size))
