"""Two mistakes: the average moves first, or is projected on leaf by leaf, and something small."""

from typing import Any

import numpy as np

from bloop_proofs.adapters import from_class
from bloop_proofs.subject import Step
from tests.proofs.fresh.entries import (
    CONFLICT,
    CONVEX,
    EARLY,
    HALF,
    LEAVES,
    NORM,
    REAL,
    RESCALED,
    SINGLE,
    SMALL,
    SQUARE,
    SQUARE_FLOOR,
    SWAPPED,
    ZERO,
    pair,
)
from tests.proofs.fresh.singles_average import mixed, moved, off, removed
from tests.proofs.fresh.singles_projection import less, quotient
from tests.proofs.right.leafwise import dot
from tests.proofs.right.pieces import Leaves, cut, double, given_back, joined, wide


@pair(EARLY, also=SQUARE)
def early_and_1e_7(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Moves the average first; ||e||^2 + 1e-7."""
    g, u, v = joined(m), joined(a), joined(e)
    v = (1 - rho) * v + rho * g
    return cut(g + lam * (u - (u @ v) / (v @ v + 1e-7) * v), m), cut(v, e)


@pair(EARLY, also=NORM)
def early_and_beside_the_norm(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Moves the average first; unit vector e / (||e|| + 1e-8)."""
    new = moved(e, m, rho)
    y = [double(x) for x in new]
    size = np.sqrt(dot(y, y)) + 1e-8
    unit = [x / size for x in y]
    part = less(a, dot([double(x) for x in a], unit), unit)
    return mixed(m, part, lam), new


@pair(EARLY, also=SINGLE)
def early_in_single(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Moves the average first; sums in float32."""
    g, u, v = joined(m), joined(a), joined(e)
    v = v + rho * (g - v)
    u32, v32 = u.astype(np.float32), v.astype(np.float32)
    c = float(quotient(np.einsum("i,i", u32, v32), np.einsum("i,i", v32, v32)))
    return cut(g + lam * (u - c * v), m), cut(v, e)


@pair(EARLY, also=REAL)
def early_and_real_parts(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Moves the average first; inner products of real parts only."""
    new = moved(e, m, rho)
    x, y = ([double(leaf).real for leaf in v] for v in (a, new))
    return mixed(m, less(a, quotient(dot(x, y), dot(y, y)), new), lam), new


class HalfAverage:
    def __init__(self, lam: float, beta: float) -> None:
        self.lam, self.beta = lam, beta
        self.avg: Leaves = []

    def direction(self, main: Leaves, aux: Leaves) -> Leaves:
        new = []
        for x, g in zip(self.avg, main, strict=True):
            kind = g.real.dtype.type
            small = kind(self.beta) * x.astype(g.dtype) + kind(1 - self.beta) * g
            new.append(small.astype(x.dtype))
        self.avg = new
        return mixed(main, removed(aux, new), self.lam)


@pair(EARLY, also=HALF, made=True)
def early_in_half() -> Step:
    """Moves the average first, in the dtype of the gradient."""
    return from_class(lambda lam, rho: HalfAverage(lam, 1 - rho), method="direction", ema="avg")


@pair(EARLY, RESCALED)
def early_and_rescaled(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Moves the average first; over 1 + lam."""
    g, u, v = joined(m), joined(a), joined(e)
    v += rho * (g - v)
    return cut((g + lam * off(u, v)) / (1 + lam), m), cut(v, e)


@pair(EARLY, also=ZERO)
def early_and_unguarded(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Moves the average first; 0 / 0."""
    g, u, v = joined(m), joined(a), joined(e)
    v = v + rho * (g - v)
    with np.errstate(all="ignore"):
        return cut(g + lam * (u - v * (u @ v) / (v @ v)), m), cut(v, e)


@pair(EARLY, also="ema-is-updated-in-place")
def early_and_in_place(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Moves the average first; writes to the one it was given, and returns it."""
    for x, y in zip(e, moved(e, m, rho), strict=True):
        x[...] = y
    return mixed(m, removed(a, e), lam), e


@pair(EARLY, CONVEX)
def early_and_convex(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Moves the average first; weighs the main gradient by 1 - lam."""
    g, u, v = joined(m), joined(a), joined(e)
    v = v + rho * (g - v)
    return cut((1 - lam) * g + lam * off(u, v), m), cut(v, e)


@pair(EARLY, SWAPPED)
def early_with_beta(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Moves the average first; takes rho for the decay."""
    g, u, v = joined(m), joined(a), joined(e)
    v = rho * v + (1 - rho) * g
    return cut(g + lam * off(u, v), m), cut(v, e)


@pair(EARLY, also=SMALL)
def early_and_below_a_threshold(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Moves the average first; no projection where ||e||^2 is below 1e-6."""
    g, u, v = joined(m), joined(a), joined(e)
    v = v + rho * (g - v)
    part = u - (u @ v) / (v @ v) * v if v @ v > 1e-6 else u
    return cut(g + lam * part, m), cut(v, e)


@pair(EARLY, also=(SQUARE, HALF))
def early_of_three(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Moves the average first; ||e||^2 + 4e-8; the average in the dtype of the gradient."""
    new = []
    for x, g in zip(e, m, strict=True):
        kind = g.real.dtype.type
        new.append((x.astype(g.dtype) * kind(1 - rho) + g * kind(rho)).astype(x.dtype))
    u, v = joined(a), joined(new)
    return mixed(m, less(a, (u @ v) / (v @ v + 4e-8), new), lam), new


@pair(LEAVES, also=SQUARE_FLOOR)
def leaves_and_a_clamp(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Leaf by leaf; max(||e||^2, 1e-8)."""
    part = []
    for u, v in zip(a, e, strict=True):
        x, y = joined([u]), joined([v])
        part += cut(x - x @ y / max(y @ y, 1e-8) * y, [double(u)])
    return mixed(m, part, lam), moved(e, m, rho)


@pair(LEAVES, also=ZERO)
def leaves_and_unguarded(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Leaf by leaf; 0 / 0."""
    d = []
    with np.errstate(all="ignore"):
        for g, u, v in zip(m, a, e, strict=True):
            x, y = double(u), double(v)
            c = np.vdot(y, x).real / np.vdot(y, y).real
            d.append(np.asarray(g + lam * (x - c * y)).astype(g.dtype))
    return d, moved(e, m, rho)


@pair(LEAVES, also=SINGLE)
def leaves_in_single(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Leaf by leaf; sums in float32."""
    part = []
    for u, v in zip(a, e, strict=True):
        x, y = joined([u]).astype(np.float32), joined([v]).astype(np.float32)
        part.append(double(u) - float(quotient(x @ y, y @ y)) * double(v))
    return mixed(m, part, lam), moved(e, m, rho)


@pair(LEAVES, RESCALED)
def leaves_and_rescaled(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Leaf by leaf; over 1 + lam."""
    d = []
    for g, u, v in zip(m, a, e, strict=True):
        x = cut(joined([g]) + lam * off(joined([u]), joined([v])), [double(g)])[0] / (1 + lam)
        d.append(np.asarray(x).astype(g.dtype))
    return d, moved(e, m, rho)


@pair(LEAVES, CONFLICT)
def leaves_with_a_gate(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Leaf by leaf; only where the leaves are in conflict."""
    part = [
        cut(off(joined([u]), joined([v])), [double(u)])[0] if np.vdot(v, wide(u)).real < 0 else u
        for u, v in zip(a, e, strict=True)
    ]
    return mixed(m, [double(x) for x in part], lam), moved(e, m, rho)


@pair("projects-row-by-row", also=SQUARE)
def rows_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Row by row; 1e-8 beside the square."""
    part = []
    for u, v in zip(a, e, strict=True):
        x, y = np.atleast_1d(double(u)), np.atleast_1d(double(v))
        top = np.einsum("...i,...i->...", y.conj(), x).real[..., None]
        bottom = np.einsum("...i,...i->...", y.conj(), y).real[..., None]
        part.append((x - top / (bottom + 1e-8) * y).reshape(u.shape))
    return mixed(m, part, lam), moved(e, m, rho)


@pair("projects-matrices-only", also=(SQUARE, NORM))
def biases_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Only parameters of two dimensions or more are projected; 1e-12 in the root, 1e-6 outside."""
    x, y = ([double(leaf) for leaf in v if leaf.ndim > 1] for v in (a, e))
    size = np.sqrt(dot(y, y) + 1e-12) + 1e-6
    c = dot(x, y) / size**2
    part = [
        double(p) - c * double(q) if q.ndim > 1 else double(p) for p, q in zip(a, e, strict=True)
    ]
    return mixed(m, part, lam), moved(e, m, rho)


@pair("zero-ema-becomes-the-whole-gradient", SQUARE)
def first_call_and_epsilon(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The first gradient is the first average; ||e||^2 + 1e-6."""
    x, y = [double(leaf) for leaf in a], [double(leaf) for leaf in e]
    part = less(a, dot(x, y) / (dot(y, y) + 1e-6), e)
    if all(not leaf.any() for leaf in e):
        return mixed(m, part, lam), given_back([double(g) for g in m], e)
    return mixed(m, part, lam), moved(e, m, rho)
