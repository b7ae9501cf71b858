"""What the tests of the reference share: gradients to try it on, and the truth about them."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import optree
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bloop_proofs.tolerances import unit_roundoff

Shapes = tuple[tuple[int, ...], ...]

SHAPES: tuple[Shapes, ...] = (((1,),), ((2,),), ((1,), ()), ((3,), (2, 2)), ((), (0, 2), (5,)))
WIDTHS: dict[str, Literal[16, 32, 64]] = {
    "float16": 16,
    "bfloat16": 32,
    "float32": 32,
    "float64": 64,
}
EXPONENTS = {"float16": 8, "bfloat16": 20, "float32": 20, "float64": 100}


def entries(dtype: str) -> st.SearchStrategy[float]:
    """Return 0 and numbers bounded below, so that no result leaves the normal range."""
    most = 2.0 ** EXPONENTS[dtype]
    sizes = st.floats(1 / most, most, width=WIDTHS[dtype])
    return st.builds(lambda sign, size: sign * size, st.sampled_from((1, -1, 0)), sizes)


def leaves(dtype: str, shape: tuple[int, ...]) -> st.SearchStrategy[np.ndarray]:
    if dtype.startswith("complex"):
        part = leaves("float32" if dtype == "complex64" else "float64", shape)
        return st.builds(lambda re, im: (re + 1j * im).astype(dtype), part, part)
    if dtype == "bfloat16":
        import ml_dtypes

        return leaves("float32", shape).map(lambda x: x.astype(ml_dtypes.bfloat16))
    return hnp.arrays(dtype, shape, elements=entries(dtype))


def draw_gradients(
    count: int, dtype: str, shapes: Sequence[Shapes] = SHAPES
) -> st.SearchStrategy[list[list[np.ndarray]]]:
    """Return a strategy for gradients with leaves of the same shapes."""
    return st.sampled_from(shapes).flatmap(
        lambda chosen: st.lists(
            st.tuples(*[leaves(dtype, shape) for shape in chosen]).map(list),
            min_size=count,
            max_size=count,
        )
    )


@pytest.fixture
def gradients() -> Callable[..., st.SearchStrategy[list[list[np.ndarray]]]]:
    """The function ``draw_gradients``."""
    return draw_gradients


def long_vector(tree: Any) -> np.ndarray:
    """Return all leaves as one long vector of float64, imaginary parts after real ones."""
    flat = [np.ravel(leaf) for leaf in optree.tree_leaves(tree)]
    real = [x.real if x.dtype.kind == "c" else x for x in flat]
    imaginary = [x.imag for x in flat if x.dtype.kind == "c"]
    return np.concatenate([np.empty(0), *(x.astype(np.float64) for x in real + imaginary)])


def integers(*vectors: np.ndarray) -> list[list[int]]:
    """Return float64 vectors as integers, in one power of two as the unit."""
    smallest = min(np.abs(x[x != 0]).min(initial=1.0) for x in vectors)
    _, exponent = math.frexp(smallest)
    return [[int(Fraction(v) * 2 ** (53 - exponent)) for v in x.tolist()] for x in vectors]


def direction_roundings(computed: Any, g_main: Any, g_aux: Any, ema: Any, *, lam: float) -> float:
    """Return k in ||computed - d|| = k u (||g_main|| + lam ||g_aux||), d the exact eq. 5.

    u is that of the computed leaves. Integers are exact and, for long vectors, faster than
    fractions: the error is found times q ||e||^2, lam = p / q.
    """
    d, g, a, e = integers(*map(long_vector, (computed, g_main, g_aux, ema)))
    p, q = Fraction(lam).as_integer_ratio()
    ee, ae = sum(x * x for x in e) or 1, sum(x * y for x, y in zip(a, e, strict=True))
    scaled = sum(
        (q * ee * (di - gi) - p * (ee * ai - ae * ei)) ** 2
        for di, gi, ai, ei in zip(d, g, a, e, strict=True)
    )
    error = Fraction(math.isqrt(scaled << 128), q * ee << 64)
    g_size, a_size = (math.isqrt(sum(x * x for x in v)) for v in (g, a))
    size = (g_size + Fraction(lam) * a_size) * Fraction(unit_roundoff(optree.tree_leaves(computed)))
    return float(error / size) if size else float(error)


@pytest.fixture
def roundings() -> Callable[..., float]:
    """The function ``direction_roundings``."""
    return direction_roundings


def fractions(tree: Any) -> Any:
    """Return a tree of arrays of fractions, from numbers or from arrays of them."""

    def exact(leaf: Any) -> np.ndarray:
        numbers = np.asarray(leaf)
        out = np.empty(numbers.shape, dtype=object)
        out.ravel()[:] = [Fraction(x) for x in numbers.ravel().tolist()]
        return out

    return optree.tree_map(exact, tree)


@pytest.fixture
def rational() -> Callable[[Any], Any]:
    """The function ``fractions``."""
    return fractions
