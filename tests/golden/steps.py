"""The inputs of single steps: ordinary and special ones, and all scales that a dtype can hold."""

from collections.abc import Iterator, Sequence
from itertools import cycle

import numpy as np

from bloop_proofs.tolerances import safe_exponent
from bloop_proofs.vectors.formats import FORMATS
from bloop_ref.gramian import MOST_APART
from tests.golden.draw import FLAT, LEAVES, Drawn, Pen, Shapes, step

EMPTY_LEAVES: Shapes = ((2,), (0,), (), (3, 0))
NO_ENTRIES: Shapes = ((0,),)
LONG: Shapes = ((13,), (3, 5))


def by_hand(pen: Pen) -> Iterator[Drawn]:
    """Yield steps that can be followed on paper."""
    shapes = pen.flat(2)
    for name, *vectors in (
        ("worked", (3, 4), (-5, 0), (2, -1)),
        ("parallel", (1, 2), (-6, -8), (3, 4)),
        ("orthogonal", (1, 2), (-4, 3), (3, 4)),
    ):
        main, aux, ema = np.array(vectors, dtype=np.float64)
        yield step(name, shapes, main, aux, ema, 0.5, 0.25)


def steps(pen: Pen) -> Iterator[Drawn]:
    """Yield single steps of ordinary size."""
    yield from by_hand(pen)
    pairs = cycle(((1.0, 0.5), (0.5, 0.1), (3.0, 0.25), (0.1, 0.01)))
    for name, shapes in (
        ("flat", FLAT),
        ("leaves", LEAVES),
        ("empty-leaves", EMPTY_LEAVES),
        ("no-entries", NO_ENTRIES),
        ("long", LONG),
        ("zero-ema", LEAVES),
        ("zero-main", FLAT),
        ("zero-aux", FLAT),
        ("full-batch", LEAVES),
        ("nearly-parallel", FLAT),
        ("nearly-opposed", LEAVES),
    ):
        main, aux, ema = pen.row(shapes), pen.row(shapes), pen.row(shapes, ema=True)
        if name.startswith("nearly"):
            little = -FORMATS[pen.dtype].bits // 2
            aux = pen.near(ema, little, -1 if name == "nearly-opposed" else 1)
        zero = np.zeros_like(main)
        ema = {"full-batch": main, "zero-ema": zero}.get(name, ema)
        main, aux = zero if name == "zero-main" else main, zero if name == "zero-aux" else aux
        yield step(name, shapes, main, aux, ema, *next(pairs))
    for name, lam, rho in (("lam-0", 0.0, 0.5), ("rho-0", 1.0, 0.0), ("rho-1", 1.0, 1.0)):
        yield step(name, FLAT, pen.row(FLAT), pen.row(FLAT), pen.row(FLAT, ema=True), lam, rho)


def scales(pen: Pen) -> Iterator[Drawn]:
    """Yield steps on tiny and huge vectors of which products of three entries are normal."""
    # NumPy has no limits for bfloat16, whose range is float32's
    far = safe_exponent([np.zeros(0, "float32" if pen.dtype == "bfloat16" else pen.dtype)])
    pairs = cycle(((1.0, 0.5), (0.5, 0.25)))
    for name, of_main, of_aux, of_ema in (
        ("tiny", -far, -far, -far),
        ("huge", far, far, far),
        ("tiny-ema", 0, 0, -far),
        ("huge-ema", 0, 0, far),
        ("tiny-main", -far, 0, 0),
        ("huge-aux", 0, far, 0),
    ):
        yield _scaled(pen, name, FLAT, of_main, of_aux, of_ema, *next(pairs))
    by_leaf = (0, -far, far)
    yield _scaled(pen, "leaves", LEAVES, by_leaf, by_leaf, by_leaf, *next(pairs))


APART = int(np.log2(MOST_APART)) - 8
"""How many powers of two apart vectors are scaled, which leaves 8 for how they are drawn."""


def extremes(pen: Pen) -> Iterator[Drawn]:
    """Yield steps on vectors near the ends of the range; every exact output lies inside it.

    They lie as far apart as is promised: any factor that narrower dtypes hold, 2^470 in float64.
    """
    low, high = _ends(pen.dtype)
    ema_low, ema_high = _ends(pen.ema_dtype)
    below = FORMATS[pen.dtype].least - 4
    pairs = cycle(((1.0, 0.5), (0.5, 0.25)))
    for name, gradients, ema in (
        ("tiny", low, ema_low),
        ("huge", high, ema_high),
        ("tiny-ema", 0, max(ema_low, -APART)),
        ("huge-ema", 0, min(ema_high, APART)),
        ("tiny-beside-huge-ema", low, min(ema_high, low + APART)),
        ("huge-beside-tiny-ema", high, max(ema_low, high - APART)),
    ):
        yield _scaled(pen, name, FLAT, gradients, gradients, ema, *next(pairs))
    mixed, mixed_ema = (low, 0, high), (ema_low, 0, ema_high)
    yield _scaled(pen, "leaves", LEAVES, mixed, mixed, mixed_ema, *next(pairs))
    subnormal, beside = (low, below, low), (min(0, low + APART),) * len(LEAVES)
    yield _scaled(pen, "subnormal", LEAVES, subnormal, subnormal, beside, *next(pairs))


def _ends(dtype: str) -> tuple[int, int]:
    """Return exponents for tiny and huge vectors of a dtype; ``bounds`` says what tiny may be."""
    bits, least, most = FORMATS[dtype]
    return least + 4 + (0 if dtype == "float16" else bits), most - 8


def _scaled(
    pen: Pen,
    name: str,
    shapes: Shapes,
    of_main: int | Sequence[int],
    of_aux: int | Sequence[int],
    of_ema: int | Sequence[int],
    lam: float,
    rho: float,
) -> Drawn:
    """Return a step on vectors that are drawn and scaled by powers of two."""
    main, aux = pen.row(shapes, of_main), pen.row(shapes, of_aux)
    return step(name, shapes, main, aux, pen.row(shapes, of_ema, ema=True), lam, rho)
