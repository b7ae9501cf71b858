"""Hypothesis strategies for gradients, for the inputs of a step and for bilevel problems.

One draw of bytes makes a whole case, so drawing and shrinking are cheap. The entries are small
dyadic numbers that every floating dtype holds exactly and that shrink to 0, 1, -1, 2, ...
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np
from hypothesis import strategies as st

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.frameworks import Framework, bfloat16
from bloop_proofs.law import Inputs
from bloop_proofs.problems.strategies import finite_sums, quadratics
from bloop_proofs.signature import Signature, unchanged

__all__ = [
    "finite_sums",
    "gradients",
    "inputs",
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


def inputs(
    method: Signature,
    *,
    losses: Sequence[int] = (2,),
    earlier: Sequence[int] = (0, 1, 2),
    shapes: Sequence[Shapes] = SHAPES,
    dtypes: Sequence[Dtypes] = ("float64", "float32"),
    last_dtypes: Sequence[Dtypes] | None = None,
    options: Mapping[str, Sequence[Any]] | None = None,
    more: Sequence[str] = (),
    numbers: Mapping[str, Sequence[Any]] | None = None,
    then: Callable[[Case], Case] = unchanged,
) -> Inputs:
    """Return, for a framework, a strategy for the inputs of a step of a method.

    Args:
        method: the method.
        losses: the numbers of gradients to choose from, where a step takes a list.
        earlier: the numbers of steps before the last, for methods with a state.
        shapes: the leaf shapes to choose from, simplest first.
        dtypes: the dtypes to choose from, each one for all leaves or several that the leaves take
            in turn; what the framework lacks is left out, and where nothing is left is float32.
        last_dtypes: the dtype of the last named vector for each of ``dtypes``; the same by default.
        options: values of options to choose from, instead of the usual ones.
        more: names of further gradients to draw.
        numbers: names of further numbers, with the values to choose from.
        then: a last change to the case, after the method's own.
    """
    before = earlier if method.stateful else (0,)
    counts = (len(method.vectors),) if method.vectors else losses
    numbers = numbers or {}
    pairs = [tuple(map(_several, pair)) for pair in zip(dtypes, last_dtypes or dtypes, strict=True)]

    def values(k: int) -> dict[str, Sequence[Any]]:
        usual = {name: of(k) for name, of in method.choices.items()}
        return {**usual, **{name: x for name, x in (options or {}).items() if name in usual}}

    def strategy(framework: Framework) -> st.SearchStrategy[Case]:
        there = framework.dtypes()
        usable = [(g, e) for g, e in pairs if all(name in there for name in g + e)]
        usable = usable or [(("float32",), ("float32",))]
        forms = (usable, shapes, counts, before, *numbers.values())

        def build(drawn: bytes) -> Case:
            (names, leaves, k, past, *further), drawn = choose(drawn, forms)
            known = values(k)
            chosen, drawn = choose(drawn, list(known.values()))
            like, last = (tuple(x for _, x in zip(leaves, cycle(kind))) for kind in names)
            kinds = (*[like] * (k - 1), last, *[like] * len(more))
            steps = [cut(drawn[i :: past + 1], leaves, *kinds) for i in range(past + 1)]
            case = Case(
                **method.packed([*steps[1:], steps[0]]),
                **dict(zip(more, steps[0][k:], strict=True)),
                **dict(zip(known, chosen, strict=True)),
                **dict(zip(numbers, further, strict=True)),
            )
            return then(method.prepared(case))

        most = max(counts)
        entries = max(
            count(leaves, *[tuple(x for _, x in zip(leaves, cycle(kind)))] * (most + len(more)))
            for pair in usable
            for kind in pair
            for leaves in shapes
        )
        heads = [*forms, *values(most).values()]
        total = sum(map(width, heads)) + entries * (max(before) + 1)
        return st.binary(min_size=total, max_size=total).map(build)

    return strategy


def _several(dtypes: Dtypes) -> tuple[str, ...]:
    return (dtypes,) if isinstance(dtypes, str) else dtypes


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
