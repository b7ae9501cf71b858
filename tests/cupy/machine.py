"""A machine without a GPU that runs the kernels: memory of the host, and launches on it.

``interpret`` does with NumPy what the kernels say, at the addresses that it is given; ``host`` runs
their very text.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import cupy as cp
import ml_dtypes
import numpy as np
import pytest

from bloop_cupy import launch
from bloop_ref.gramian import MOST_APART, SAFE

DTYPES = {"Half": "float16", "Brain": ml_dtypes.bfloat16, "float": "float32", "double": "float64"}
Run = Callable[..., None]


def memory(size: int) -> Any:
    """Return memory of the host, as an allocator of CuPy."""
    buffer = np.full(size, 0xFF, np.uint8)  # whatever is not written is NaN
    owner = cp.cuda.UnownedMemory(buffer.ctypes.data, size, buffer, device_id=0)
    return cp.cuda.MemoryPointer(owner, 0)


def array(x: Any) -> Any:
    """Return a CuPy array over memory of the host that holds the values of a NumPy array."""
    x = np.asarray(x)
    made = cp.empty(x.shape, x.dtype)
    values(made)[...] = x
    return made


def values(x: Any) -> Any:
    """Return a NumPy array over the memory of a CuPy array."""
    first, end = cp.byte_bounds(x)
    buffer = (ctypes.c_uint8 * (end - first)).from_address(first)
    return np.ndarray(x.shape, x.dtype, buffer, x.data.ptr - first, x.strides)


def at(address: int, size: int, dtype: Any) -> Any:
    """Return the NumPy array at an address; ``None`` at 0."""
    if not address:
        return None
    buffer = (ctypes.c_uint8 * (size * np.dtype(dtype).itemsize)).from_address(address)
    return np.frombuffer(buffer, dtype)


class Interpreter:
    """The kernels in NumPy, one launch after the other."""

    def __init__(self, signature: launch.Signature, peaks: bool) -> None:
        self.dtypes = [DTYPES[name] for name in signature]
        self.peaks = peaks

    def leaves(self, table: Any) -> Iterator[tuple[list[Any], int, int]]:
        for *addresses, size, first in values(table).tolist():
            columns = [at(x, size, t) for x, t in zip(addresses, self.dtypes, strict=True)]
            yield columns, size, first

    def products(self, blocks: int, table: Any, count: int, state: Any, partials: Any) -> None:
        assert count == len(table)
        if isinstance(state, cp.ndarray) and not values(state)[4]:
            return
        scales = values(state)[2:4] if isinstance(state, cp.ndarray) else (1.0, 1.0)
        for (_, x, y, _, _), size, first in self.leaves(table):
            for block, begin in enumerate(range(0, size, launch.ENTRIES), first):
                a, e = (
                    np.zeros(1) if z is None else z[begin : begin + launch.ENTRIES].astype(float)
                    for z in (x, y)
                )
                peaks = [np.nanmax(np.abs(z), initial=0.0) if self.peaks else 0.0 for z in (a, e)]
                a, e = (z * scales[0] * scales[1] for z in (a, e))
                inner = 0.0 if x is None or y is None else a @ e
                values(partials)[block] = inner, e @ e, *peaks
                assert block < blocks

    def settle(self, blocks: int, partials: Any, rows: int, state: Any, again: int) -> None:
        now = values(state)
        if again and not now[4]:
            return
        assert rows == len(partials)
        now[:2] = values(partials)[:, :2].sum(axis=0)
        peaks = values(partials)[:, 2:].max(axis=0)
        finite = 0 < peaks.max() < np.inf
        exponent = int(np.frexp(peaks.max())[1]) - 1 if finite else 0
        if again:
            far = (peaks > 0) & (peaks < np.ldexp(1.0, exponent) / MOST_APART)
            now[:2] += np.nan if far.any() else 0.0
            return
        now[2:4] = np.ldexp(1.0, [-(exponent // 2), exponent // 2 - exponent])
        safe = [1 / SAFE <= x <= SAFE for x in np.abs(now[:2])]
        now[4] = self.peaks and finite and not all(safe)

    def pack(self, blocks: int, weights: Any, *pairs: Any) -> None:
        for k, (value, place) in enumerate(zip(pairs[::2], pairs[1::2], strict=True)):
            values(weights)[k] = values(place) if isinstance(place, cp.ndarray) else value

    def combine(self, blocks: int, table: Any, count: int, weights: Any, read: int) -> None:
        rows = values(weights).reshape(2, 3)
        for columns, size, _ in self.leaves(table):
            read_now = [
                [x for j, x in enumerate(columns[:3]) if x is not None and read >> 3 * i + j & 1]
                for i in range(2)
            ]
            chosen = [
                [rows[i, j] for j in range(3) if columns[j] is not None and read >> 3 * i + j & 1]
                for i in range(2)
            ]
            results = [
                sum((w * x.astype(float) for w, x in zip(*pair, strict=True)), np.zeros(size))
                for pair in zip(chosen, read_now, strict=True)
            ]
            for output, result in zip(columns[3:], results, strict=True):
                if output is not None:
                    output[...] = rounded(result, output.dtype)


def rounded(x: Any, dtype: Any) -> Any:
    """Return float64 numbers in another dtype, rounded once."""
    if dtype != ml_dtypes.bfloat16:
        return x.astype(dtype)
    # NumPy would stop at float32; what lies beside its numbers is put on their odd side
    narrow = x.astype(np.float32)
    narrow = np.where(np.abs(narrow) > np.abs(x), np.nextafter(narrow, np.float32(0)), narrow)
    odd = narrow.view(np.uint32) | (narrow != x)
    return odd.view(np.float32).astype(dtype)


@np.errstate(all="ignore")
def interpret(
    name: str, signature: launch.Signature, peaks: bool, blocks: int, *arguments: Any
) -> None:
    """Launch in NumPy."""
    getattr(Interpreter(signature, peaks), name)(blocks, *arguments)


@contextmanager
def machine(run: Run) -> Iterator[list[tuple[str, launch.Signature]]]:
    """Put memory and launches of the host in the place of a GPU; yield what is launched."""
    launches: list[tuple[str, launch.Signature]] = []

    def counted(name: str, signature: launch.Signature, *arguments: Any) -> None:
        launches.append((name, signature))
        run(name, signature, *arguments)

    def on(device: Any) -> AbstractContextManager[Any]:
        return nullcontext()

    before = cp.cuda.get_allocator()
    # scalars that a device would divide without a word are here scalars of NumPy
    with pytest.MonkeyPatch.context() as patch, np.errstate(all="ignore"):
        cp.cuda.set_allocator(memory)
        patch.setattr(launch, "THREADS", 8)
        patch.setattr(launch, "ENTRIES", 64)
        patch.setattr(launch, "on", on)
        patch.setattr(launch, "upload", array)
        patch.setattr(launch, "run", counted)
        patch.setattr(launch, "scalars", lambda sums: tuple(values(sums).copy()))
        yield launches
        cp.cuda.set_allocator(before)
