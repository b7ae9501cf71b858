"""Right implementations in NumPy that go leaf by leaf and differ in how they sum."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.linalg import blas

from bloop_proofs.subject import Step
from tests.proofs.right.pieces import Leaves, double, from_coefficient, given_back, wide


def quotient(top: Any, bottom: Any) -> Any:
    return top / bottom if bottom != 0 else 0.0


def dot(x: Leaves, y: Leaves) -> float:
    return sum(float(np.vdot(p, q).real) for p, q in zip(x, y, strict=True))


def textbook(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
    """Loops, the equation as printed, sums in Python floats."""
    top = bottom = 0.0
    for a, e in zip(g_aux, ema, strict=True):
        top += float(np.sum(double(a).real * e.real) + np.sum(double(a).imag * e.imag))
        bottom += float(np.sum(np.abs(double(e)) ** 2))
    direction, new_ema = [], []
    for g, a, e in zip(g_main, g_aux, ema, strict=True):
        part = double(a) - top / bottom * e if bottom > 0 else double(a)
        direction.append((g + lam * part).astype(g.dtype))
        new_ema.append(((1 - rho) * double(e) + rho * g).astype(e.dtype))
    return direction, new_ema


def left_to_right(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
    """(a @ e) * e / (e @ e), read from the left, and the weights multiplied in last."""
    g, a, e = ([wide(leaf) for leaf in v] for v in (g_main, g_aux, ema))
    ae, ee = dot(a, e), dot(e, e)
    parts = [y - ae * z / ee if ee else y for y, z in zip(a, e, strict=True)]
    direction = [lam * part + x for x, part in zip(g, parts, strict=True)]
    new_ema = [rho * x + z - rho * z for x, z in zip(g, e, strict=True)]
    return given_back(direction, g_main), given_back(new_ema, ema)


def expanded(g_main: Leaves, g_aux: Leaves, ema: Leaves, *, lam: float, rho: float) -> Any:
    """g + lam a - (lam c) e, without parentheses."""
    g, a, e = ([wide(leaf) for leaf in v] for v in (g_main, g_aux, ema))
    k = lam * quotient(dot(a, e), dot(e, e))
    direction = [x + lam * y - k * z for x, y, z in zip(g, a, e, strict=True)]
    new_ema = [np.add(rho * x, (1 - rho) * z) for x, z in zip(g, e, strict=True)]
    return given_back(direction, g_main), given_back(new_ema, ema)


def _cosine(a: Leaves, e: Leaves) -> float:
    norm_a, norm_e = (math.hypot(*(float(np.linalg.norm(x)) for x in v)) for v in (a, e))
    if norm_a == 0 or norm_e == 0:
        return 0.0
    cosine = sum(float(np.vdot(y / norm_e, x / norm_a).real) for x, y in zip(a, e, strict=True))
    return cosine * norm_a / norm_e


def _fsum(a: Leaves, e: Leaves) -> float:
    def parts(x: np.ndarray, y: np.ndarray) -> list[float]:
        products = double(np.conj(x)) * double(y)
        return [float(value) for value in np.ravel(products.real)]

    pairs = list(zip(a, e, strict=True))
    top = math.fsum(value for x, y in pairs for value in parts(x, y))
    return quotient(top, math.fsum(value for y in e for value in parts(y, y)))


def _einsum(a: Leaves, e: Leaves) -> Any:
    def product(x: np.ndarray, y: np.ndarray) -> Any:
        return np.einsum("i,i->", x.conj().ravel(), y.ravel()).real

    top = sum(product(x, y) for x, y in zip(a, e, strict=True))
    return quotient(top, sum(product(y, y) for y in e))


def _blas(a: Leaves, e: Leaves) -> float:
    def ddot(x: np.ndarray, y: np.ndarray) -> float:
        real = [np.ravel(double(leaf)).view(np.float64) for leaf in (x, y)]
        return float(blas.ddot(*real)) if real[0].size else 0.0

    top = sum(ddot(x, y) for x, y in zip(a, e, strict=True))
    return quotient(top, sum(ddot(y, y) for y in e))


def _largest(a: Leaves, e: Leaves) -> float:
    """Both vectors over their largest entries, whatever their scale."""
    peaks = [max(float(np.max(np.abs(x), initial=0.0)) for x in v) for v in (a, e)]
    if not all(peaks):
        return 0.0
    small_a, small_e = (
        [double(x) / peak for x in v] for v, peak in zip((a, e), peaks, strict=True)
    )
    return dot(small_a, small_e) / dot(small_e, small_e) * (peaks[0] / peaks[1])


def _pairwise(a: Leaves, e: Leaves) -> float:
    """Float64 sums of float32 products, in halves of halves."""

    def halves(values: np.ndarray) -> float:
        if values.size < 3:
            return float(sum(values.tolist()))
        middle = values.size // 2
        return halves(values[:middle]) + halves(values[middle:])

    def summed(x: Leaves, y: Leaves) -> float:
        products = [np.ravel((p.conj() * q).real) for p, q in zip(x, y, strict=True)]
        return halves(np.concatenate(products).astype(np.float64))

    return quotient(summed(a, e), summed(e, e))


def _lerp(ema: Leaves, g_main: Leaves, rho: float) -> Sequence[Any]:
    return [e + rho * (g - e) for e, g in zip(ema, g_main, strict=True)]


def _mean(ema: Leaves, g_main: Leaves, rho: float) -> Sequence[Any]:
    weights = np.array([1 - rho, rho])
    return [np.average([e, g], axis=0, weights=weights) for e, g in zip(ema, g_main, strict=True)]


def _increment(ema: Leaves, g_main: Leaves, rho: float) -> Sequence[Any]:
    return [e - rho * e + rho * g for e, g in zip(ema, g_main, strict=True)]


LEAFWISE: dict[str, Step] = {
    "textbook loops": textbook,
    "left to right": left_to_right,
    "without parentheses": expanded,
    "cosines and norms": from_coefficient(_cosine, _lerp),
    "fsum": from_coefficient(_fsum, _mean),
    "einsum": from_coefficient(_einsum, _increment),
    "BLAS": from_coefficient(_blas),
    "over the largest entry": from_coefficient(_largest, _lerp),
    "pairwise sums of float32": from_coefficient(_pairwise),
}
