"""Hypothesis strategies for gradients, for the inputs of a step and for bilevel problems.

One draw of bytes makes a whole case, so drawing and shrinking are cheap. The entries are small
dyadic numbers that every floating dtype holds exactly and that shrink to 0, 1, -1, 2, ...
"""

import math
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from hypothesis import strategies as st

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.frameworks import Framework, bfloat16
from bloop_proofs.problems.strategies import finite_sums, quadratics

__all__ = [
    "finite_sums",
    "gradients",
    "inputs",
    "nonzero",
    "quadratics",
]

Shapes = tuple[tuple[int, ...], ...]
Dtypes = str | tuple[str, ...]

SHAPES: tuple[Shapes, ...] = (
    ((2,),),
    ((1,), (1,)),
    ((3,),),
    ((2,), (1,)),
    ((), (2,)),
    ((2, 2),),
    ((2,), (2, 1), (3,)),
    ((5,), (3, 2), ()),
)
"""Leaf shapes of the gradients that ordinary laws are tried on, simplest first."""

LEAVES: tuple[Shapes, ...] = tuple(shapes for shapes in SHAPES if len(shapes) > 1)
"""The same, with several leaves."""

LAMS = (1.0, 2.0, 0.5, 0.125, 3.0, 0.1, 10.0)
RHOS = (0.5, 0.25, 0.125, 0.75, 0.1, 0.01, 1.0, 0.0)


def _entries() -> np.ndarray:
    """Return the 256 numbers that bytes stand for: integers up to 16, then eighths."""
    integers = [sign * k for k in range(1, 17) for sign in (1, -1)]
    eighths = [sign * k / 8 for k in range(1, 128) if k % 8 for sign in (1, -1)]
    return np.array([0.0, *integers, *eighths][:256])


ENTRIES = _entries()


def gradients(shapes: Shapes, *dtypes: tuple[str, ...]) -> st.SearchStrategy[list[Gradient]]:
    """Return a strategy for one gradient per tuple of dtypes, all with leaves of given shapes.

    Example:
        >>> strategy = gradients(((2,), ()), ("float32", "float64"), ("float32", "float32"))
        >>> from hypothesis import find
        >>> [first, second] = find(strategy, lambda drawn: drawn[0][0][0] > 1)
        >>> first
        [array([2., 0.], dtype=float32), array(0.)]
        >>> second
        [array([0., 0.], dtype=float32), array(0., dtype=float32)]
    """
    total = count(shapes, *dtypes)
    return st.binary(min_size=total, max_size=total).map(lambda drawn: cut(drawn, shapes, *dtypes))


def count(shapes: Shapes, *dtypes: tuple[str, ...]) -> int:
    """Return how many bytes make gradients of given shapes and dtypes."""
    return sum(_size(*leaf) for names in dtypes for leaf in zip(shapes, names, strict=True))


def _size(shape: tuple[int, ...], dtype: str) -> int:
    return math.prod(shape) * (2 if dtype.startswith("c") else 1)


def cut(drawn: bytes, shapes: Shapes, *dtypes: tuple[str, ...]) -> list[Gradient]:
    """Return the gradients that bytes stand for; bytes that are left over stand for nothing."""
    numbers = ENTRIES[np.frombuffer(drawn, dtype=np.uint8)]
    made, start = [], 0
    for names in dtypes:
        leaves = []
        for shape, dtype in zip(shapes, names, strict=True):
            stop = start + _size(shape, dtype)
            leaves.append(_leaf(numbers[start:stop], shape, dtype))
            start = stop
        made.append(leaves)
    return made


def _leaf(values: np.ndarray, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if dtype.startswith("complex"):
        values = values[0::2] + 1j * values[1::2]
    return values.reshape(shape).astype(bfloat16() if dtype == "bfloat16" else dtype)


def is_zero(gradient: Gradient) -> bool:
    """Whether every entry of a gradient is 0."""
    return not any(np.any(leaf) for leaf in gradient)


def nonzero(gradient: Gradient) -> Gradient:
    """Set the first entry of a gradient to 1 where all are 0, and return it."""
    if is_zero(gradient):
        first = next(leaf for leaf in gradient if leaf.size)
        first[(0,) * first.ndim] = 1
    return gradient


def inputs(
    *,
    shapes: Sequence[Shapes] = SHAPES,
    dtypes: Sequence[Dtypes] = ("float64", "float32"),
    ema_dtypes: Sequence[Dtypes] | None = None,
    lams: Sequence[float] = LAMS,
    rhos: Sequence[float] = RHOS,
    zero_ema: bool = False,
    more: Sequence[str] = (),
    numbers: dict[str, Sequence[Any]] | None = None,
    then: Callable[[Case], Case] | None = None,
) -> Callable[[Framework], st.SearchStrategy[Case]]:
    """Return, for a framework, a strategy for the inputs of a step.

    Args:
        shapes: the leaf shapes to choose from, simplest first.
        dtypes: the dtypes to choose from, each one for all leaves or several that the leaves take
            in turn; what the framework lacks is left out, and where nothing is left is float32.
        ema_dtypes: the dtype of the EMA for each of ``dtypes``; the same by default.
        lams: the weights to choose from.
        rhos: the weights of the new gradient to choose from.
        zero_ema: whether the EMA may be zero.
        more: names of further gradients to draw.
        numbers: names of further numbers, with the values to choose from.
        then: a last change to the case.
    """
    pairs = [
        tuple((names,) if isinstance(names, str) else names for names in pair)
        for pair in zip(dtypes, ema_dtypes or dtypes, strict=True)
    ]

    def strategy(framework: Framework) -> st.SearchStrategy[Case]:
        there = framework.dtypes()
        usable = [(g, e) for g, e in pairs if all(name in there for name in g + e)]
        options = {"lam": lams, "rho": rhos, **(numbers or {})}
        choices = (usable or [(("float32",), ("float32",))], shapes, *options.values())
        forms = [_form(dtype, leaves, len(more)) for dtype in choices[0] for leaves in shapes]

        def build(drawn: bytes) -> Case:
            (dtype, leaves, *values), entries = choose(drawn, choices)
            vectors = cut(entries, leaves, *_form(dtype, leaves, len(more))[1:])
            case = Case(
                **dict(zip(("g_main", "g_aux", "ema", *more), vectors, strict=True)),
                **dict(zip(options, values, strict=True)),
            )
            if not zero_ema:
                nonzero(case.ema)
            return then(case) if then else case

        total = sum(map(width, choices)) + max(count(*form) for form in forms)
        return st.binary(min_size=total, max_size=total).map(build)

    return strategy


def _form(pair: tuple[tuple[str, ...], ...], leaves: Shapes, more: int) -> tuple[Any, ...]:
    """Return shapes, and the dtypes of all vectors of a case, as ``cut`` takes them."""
    like, ema_like = (tuple(x for _, x in zip(leaves, cycle(names))) for names in pair)
    return leaves, like, like, ema_like, *[like] * more


def choose(drawn: bytes, choices: Sequence[Sequence[Any]]) -> tuple[list[Any], bytes]:
    """Return one of each of several options, as the first bytes say, and the other bytes."""
    chosen = []
    for options in choices:
        taken = width(options)
        chosen.append(options[int.from_bytes(drawn[:taken]) % len(options)])
        drawn = drawn[taken:]
    return chosen, drawn


def width(options: Sequence[Any]) -> int:
    """Return how many bytes it takes to choose one of several options."""
    return (len(options) - 1).bit_length() // 8 + 1
