"""Gradients as long vectors, complex where a leaf is, and what formulas make of their leaves."""

from collections.abc import Callable, Iterable
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.methods.bloop.mistakes.pieces import Now, wide


def long(gradient: Gradient) -> np.ndarray:
    """Return a gradient as one long vector."""
    return np.concatenate([np.ravel(wide(leaf)) for leaf in gradient])


def cut(vector: np.ndarray, model: Gradient) -> Gradient:
    """Return a long vector cut into leaves like those of a gradient."""
    leaves = zip(_leaves(vector, model), model, strict=True)
    return [
        (x if m.dtype.kind == "c" else x.real).reshape(m.shape).astype(m.dtype) for x, m in leaves
    ]


def _leaves(vector: np.ndarray, model: Gradient) -> list[np.ndarray]:
    ends = [*accumulate(leaf.size for leaf in model)]
    return [vector[i:j] for i, j in pairwise([0, *ends])]


def _each(s: Now, change: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a change of every leaf of a vector, in its shape, as one of the vector."""

    def changed(vector: np.ndarray) -> np.ndarray:
        leaves = zip(_leaves(vector, s.e), s.e, strict=True)
        return np.concatenate([np.ravel(change(x.reshape(m.shape))) for x, m in leaves])

    return changed


def _sums(s: Now) -> Callable[[np.ndarray], np.ndarray]:
    return lambda z: np.array([x.sum() for x in _leaves(z, s.e)])


def _spread(s: Now) -> Callable[[Iterable[float]], np.ndarray]:
    return lambda values: np.repeat(np.asarray(values), [leaf.size for leaf in s.e])


def _rows(z: np.ndarray) -> np.ndarray:
    z = np.atleast_1d(z)
    return np.broadcast_to(z.sum(axis=-1, keepdims=True), z.shape)


def _single(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex64 if np.iscomplexobj(x) else np.float32)


def _narrowed(s: Now) -> Callable[[np.ndarray], np.ndarray]:
    """Return the rounding of a vector to the dtypes of g_main."""
    return lambda z: long(cut(z, s.g))


def _own(s: Now) -> Callable[[np.ndarray], np.ndarray]:
    """Return the conversion of a vector to the dtype of g_aux."""
    return lambda x: x.astype(np.result_type(x.real.astype(np.float16), *(y.dtype for y in s.a)))


KNOWN: dict[str, Callable[[Now], Any]] = {
    "backwards": lambda s: lambda x: np.concatenate(_leaves(x, s.e)[::-1]),
    "by_leaf": _sums,
    "by_row": lambda s: _each(s, _rows),
    "cleaned": lambda s: lambda x: np.where(np.isfinite(x), x, 0.0),
    "conj": lambda s: np.conj,
    "finite": lambda s: lambda x: bool(np.all(np.isfinite(x))),
    "half": lambda s: lambda x: x if np.iscomplexobj(x) else x.astype(np.float16),
    "heads": lambda s: _each(s, lambda x: x * (np.arange(x.size).reshape(x.shape) < 100)),
    "iscomplexobj": lambda s: np.iscomplexobj,
    "machine": lambda s: float(np.finfo(s.e[0].dtype).eps),
    "matrices": lambda s: _each(s, lambda x: x if x.ndim > 1 else 0 * x),
    "n": lambda s: sum(x.size for x in s.e),
    "nan_to_num": lambda s: np.nan_to_num,
    "narrowed": _narrowed,
    "own": _own,
    "root": lambda s: np.sqrt,
    "shaped": lambda s: _each(s, lambda x: x if x.ndim else 0 * x),
    "single": lambda s: _single,
    "sizes": lambda s: np.array([max(x.size, 1) for x in s.e]),
    "spread": _spread,
    "sum": lambda s: np.sum,
    "top": lambda s: float(np.finfo(s.g[0].dtype).max),
    "unguarded": lambda s: np.true_divide,
    "zero": lambda s: np.zeros(sum(x.size for x in s.e)),
}
"""What else formulas may name: sums by leaf and by row, casts, and what NaN is replaced by."""
