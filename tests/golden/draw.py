"""The inputs of golden vectors: drawn from a seed, the simplest of every group first."""

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from bloop_proofs.exact import fractions
from bloop_proofs.vectors.formats import ema_dtype
from bloop_proofs.vectors.model import Table, Tables
from tests.golden.rounding import nearest

Shapes = tuple[tuple[int, ...], ...]

FLAT: Shapes = ((4,),)
LEAVES: Shapes = ((3,), (2, 2), ())


class Pen:
    """Rows of numbers of a dtype, drawn with the one generator whose stream never changes."""

    def __init__(self, dtype: str, seed: str) -> None:
        """Start the stream of a dtype."""
        self.dtype, self.ema_dtype = dtype, ema_dtype(dtype)
        self.width = 2 if dtype.startswith("complex") else 1
        self.random = random.Random(f"{seed} {dtype}").random

    def size(self, shapes: Shapes) -> int:
        """Return how many numbers a vector with leaves of given shapes holds."""
        return sum(self.sizes(shapes))

    def sizes(self, shapes: Shapes) -> list[int]:
        """Return how many numbers each leaf holds."""
        return [self.width * int(np.prod(shape)) for shape in shapes]

    def row(
        self, shapes: Shapes, exponents: int | Sequence[int] = 0, *, ema: bool = False
    ) -> Table:
        """Return numbers between -4 and 4 times a power of two, which may differ by leaf."""
        sizes = self.sizes(shapes)
        powers = [exponents] * len(sizes) if isinstance(exponents, int) else exponents
        return self.rounded(
            [
                Fraction(8 * self.random() - 4) * Fraction(2) ** power
                for size, power in zip(sizes, powers, strict=True)
                for _ in range(size)
            ],
            ema=ema,
        )

    def rounded(self, exact: Sequence[Fraction], *, ema: bool = False) -> Table:
        """Return exact numbers as a row of numbers of the gradients' or the EMA's dtype."""
        dtype = self.ema_dtype if ema else self.dtype
        return np.array([nearest(x, dtype) for x in exact], dtype=np.float64)

    def near(self, ema: Table, little: int, sign: int) -> Table:
        """Return the EMA, or its opposite, and a little more."""
        exact = fractions([ema])
        more = [Fraction(8 * self.random() - 4) * Fraction(2) ** little for _ in ema]
        return self.rounded([sign * e + m for e, m in zip(exact, more, strict=True)])

    def flat(self, numbers: int) -> Shapes:
        """Return the shape of one flat leaf that holds a number of numbers."""
        return ((numbers // self.width,),)


Drawn = tuple[str, Shapes, Tables]
"""A name, the shapes of the leaves, and the inputs."""


def number(x: float) -> Table:
    """Return a number as a table."""
    return np.array([[x]])


def step(
    name: str, shapes: Shapes, main: Table, aux: Table, ema: Table, lam: float, rho: float
) -> Drawn:
    """Return the inputs of one step."""
    vectors = {"ema": ema[None], "g_main": main[None], "g_aux": aux[None]}
    return name, shapes, {"lam": number(lam), "rho": number(rho), **vectors}


def trajectories(pen: Pen) -> Iterator[Drawn]:
    """Yield the inputs of Algorithm 1 over several steps."""
    for name, shapes, steps, lam, rho in (
        ("from-zero", FLAT, 4, 0.5, 0.25),
        ("warm", LEAVES, 5, 2.0, 0.1),
        ("no-memory", FLAT, 3, 1.0, 1.0),
    ):
        ema = pen.row(shapes, ema=True) if name == "warm" else np.zeros(pen.size(shapes))
        rows = [[pen.row(shapes) for _ in range(steps)] for _ in range(2)]
        main, aux = map(np.array, rows)
        vectors = {"ema": ema[None], "g_main": main, "g_aux": aux}
        yield name, shapes, {"lam": number(lam), "rho": number(rho), **vectors}
