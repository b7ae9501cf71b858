"""What a step of Bloop must give, in exact rational arithmetic, from the equations as printed."""

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from bloop_proofs.cases import Gradient

Vector = list[Fraction]
"""All entries of a gradient, a complex one as its real and imaginary parts."""


def fractions(gradient: Gradient) -> Vector:
    """Return a gradient as one long vector of fractions."""
    parts = (np.stack([x.real, x.imag], -1) if x.dtype.kind == "c" else x for x in gradient)
    return [Fraction(x) for leaf in parts for x in leaf.astype(np.float64).ravel().tolist()]


def rounded(vector: Sequence[Fraction]) -> np.ndarray:
    """Return an exact vector in float64, each entry rounded once."""
    return np.array([float(x) for x in vector], dtype=np.float64)


def direction(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float) -> np.ndarray:
    """Return Bloop's direction (eq. 5) as one long vector."""
    return rounded(equation_5(fractions(g_main), fractions(g_aux), fractions(ema), lam))


def average(ema: Gradient, g_main: Gradient, *, rho: float) -> np.ndarray:
    """Return the new EMA (Algorithm 1) as one long vector."""
    return rounded(moved(fractions(ema), fractions(g_main), rho))


def projected(vector: Gradient, *span: Gradient) -> np.ndarray:
    """Return the part of a vector orthogonal to a span, as one long vector."""
    return rounded(off(fractions(vector), map(fractions, span)))


def equation_5(main: Vector, aux: Vector, ema: Vector, lam: float) -> Vector:
    """Return g_main + lam pi(g_aux; e)."""
    return plus(main, lam, off(aux, [ema]))


def moved(ema: Vector, main: Vector, rho: float) -> Vector:
    """Return (1 - rho) e + rho g_main."""
    return plus([(1 - Fraction(rho)) * x for x in ema], rho, main)


def off(vector: Vector, span: Iterable[Vector]) -> Vector:
    """Return the part of a vector orthogonal to a span, by Gram and Schmidt.

    What depends on vectors before it takes nothing out: pi(u; 0) = u (section 3.1, footnote 1).
    """
    basis: list[tuple[Vector, Fraction]] = []

    def less(x: Vector) -> Vector:
        for y, square in basis:
            x = plus(x, -inner(x, y) / square, y)
        return x

    for other in span:
        left = less(other)
        if square := inner(left, left):
            basis.append((left, square))
    return less(vector)


def plus(x: Vector, factor: float | Fraction, y: Vector) -> Vector:
    """Return x + factor y."""
    exact = Fraction(factor)
    return [a + exact * b for a, b in zip(x, y, strict=True)]


def inner(x: Vector, y: Vector) -> Fraction:
    """Return the inner product."""
    return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))
