"""Layouts, dtypes and missing leaves of the step; what it refuses."""

import re
from itertools import chain
from typing import Any

import numpy as np
import pytest

import bloop_numpy

WEIGHTS: dict[str, Any] = {"lam": 0.5, "rho": 0.25}


def unaligned(x: np.ndarray) -> np.ndarray:
    raw = np.zeros(x.nbytes + 1, np.uint8)[1:]
    moved = raw.view(x.dtype).reshape(x.shape)
    moved[...] = x
    return moved


LAYOUTS: dict[str, Any] = {
    "Fortran": lambda x: np.array(x, order="F"),
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x,
    "reversed": lambda x: np.asarray(np.flip(np.flip(x).copy())),
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "unaligned": unaligned,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("which", [(0, 1, 2), (1,), (2,)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_any_memory_layout_does(
    layout: str, which: tuple[int, ...], dtype: str, gradient: Any, is_exact: Any
) -> None:
    plain = [gradient(i, dtype) for i in range(3)]
    moved = LAYOUTS[layout]
    vectors = [[moved(x) if i in which else x for x in v] for i, v in enumerate(plain)]
    found = bloop_numpy.step(*vectors, **WEIGHTS)
    is_exact([[x.astype(dtype) for x in v] for v in found], *plain)
    for j, of in ((0, found[0]), (2, found[1])):
        assert [x.dtype for x in of] == [x.dtype for x in vectors[j]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_memory_layout_does_in_place(layout: str, gradient: Any, is_exact: Any) -> None:
    vectors = [[LAYOUTS[layout](x) for x in gradient(i)] for i in range(3)]
    plain = [[x.astype("float32") for x in v] for v in vectors]
    bloop_numpy.step(*vectors, **WEIGHTS, inplace=True)
    is_exact([[x.astype("float32") for x in v] for v in vectors[1:]], *plain)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_has_a_float32_average(dtype: str, gradient: Any, is_exact: Any) -> None:
    kind = np.float16 if dtype == "float16" else pytest.importorskip("ml_dtypes").bfloat16
    g, a = (gradient(i, kind) for i in range(2))
    direction, ema = bloop_numpy.step(g, a, [None] * 3, **WEIGHTS)
    assert {x.dtype for x in direction} == {np.dtype(kind)}
    assert {x.dtype for x in ema} == {np.dtype(np.float32)}
    is_exact((direction, ema), g, a, [np.zeros_like(x, np.float32) for x in g])


def test_leaves_of_many_dtypes_are_one_vector(gradient: Any, is_exact: Any) -> None:
    shapes = ((20_000,), (3,), (9_000,), ())
    vectors = [gradient(i, "float32", shapes=shapes) for i in range(3)]
    for vector in vectors:
        vector[0] = vector[0].astype("float16")
        vector[2] = vector[2].astype("float64")
    found = bloop_numpy.step(*vectors, **WEIGHTS)
    is_exact(found, *vectors)
    far = [[x.astype("float64") * 2.0**600 for x in v] for v in vectors]
    moved = bloop_numpy.step(*far, **WEIGHTS)
    is_exact([[x * 2.0**-600 for x in v] for v in moved], *vectors)


@pytest.mark.parametrize("inplace", [False, True])
def test_none_is_zero_and_trees_are_kept(inplace: bool, gradient: Any, is_exact: Any) -> None:
    w, b, _ = gradient(0)
    zero = np.zeros_like
    g = {"w": w, "b": [None, b.copy(), None]}
    a = {"w": None, "b": [b.copy(), None, None]}
    e = {"w": w * 2, "b": [None, None, None]}
    filled = [w, zero(b), b], [zero(w), b.copy(), zero(b)], [w * 2, zero(b), zero(b)]
    direction, ema = bloop_numpy.step(g, a, e, **WEIGHTS, inplace=inplace)
    assert ema["b"][0] is None
    assert ema["b"][2] is None
    assert direction["b"][2] is None
    found = [direction["w"], *direction["b"][:2]], [ema["w"], zero(b), ema["b"][1]]
    is_exact(found, *filled)


def test_two_hundred_leaves_are_those_of_one_vector(gradient: Any, is_exact: Any) -> None:
    vectors = [gradient(i, shapes=[(k % 9, 3) for k in range(200)]) for i in range(3)]
    found = bloop_numpy.step(*vectors, **WEIGHTS)
    is_exact(found, *vectors)
    assert [x.shape for x in found[0]] == [x.shape for x in vectors[0]]


def locked(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


def objects() -> np.ndarray:
    return np.array([1, 2], object)


SHARED = np.ones(2)
BAD: dict[str, tuple[type[Exception], str, dict[str, Any]]] = {
    "shape": (ValueError, "the shape of g_main", {"g_aux": np.ones((2, 1))}),
    "objects": (
        TypeError,
        "takes NumPy arrays",
        {"g_main": objects(), "g_aux": objects(), "ema": objects()},
    ),
    "masked": (TypeError, "MaskedArray", {"ema": np.ma.masked_array([1.0, 2.0], [True, False])}),
    "lam": (ValueError, "lam must be a finite number >= 0; found -1", {"lam": -1}),
    "schedule": (TypeError, "lam must be a finite number >= 0", {"lam": lambda count: 1.0}),
    "rho": (ValueError, "rho must be a number in [0, 1]; found 2", {"rho": 2}),
    "dtype in place": (
        TypeError,
        "g_aux must have the dtypes of g_main",
        {"g_aux": np.ones(2, np.float32), "inplace": True},
    ),
    "locked": (
        ValueError,
        "ema must be writeable; found leaf 0 read-only",
        {"ema": locked(np.ones(2)), "inplace": True},
    ),
    "scalar": (
        ValueError,
        "g_aux must be writeable; found leaf 0 read-only",
        {"g_main": np.ones(()), "g_aux": np.float64(1), "ema": np.ones(()), "inplace": True},
    ),
    "shared": (
        ValueError,
        "g_main and ema must not share memory",
        {"g_main": SHARED, "ema": SHARED, "inplace": True},
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case: str) -> None:
    error, message, change = BAD[case]
    good: dict[str, Any] = {name: np.ones(2) for name in ("g_main", "g_aux", "ema")}
    with pytest.raises(error, match=re.escape(message)):
        bloop_numpy.step(**{**good, **WEIGHTS, **change})


@pytest.mark.parametrize(
    ("first", "second"), [((0, 0), (2, 3)), ((1, 2), (2, 0)), ((1, 0), (1, 3))]
)
def test_sharing_across_leaves_is_refused(first: Any, second: Any, gradient: Any) -> None:
    vectors = [gradient(i, shapes=[(4, 2)] * 4) for i in range(3)]
    (i, k), (j, m) = first, second
    vectors[j][m] = vectors[i][k][::-1]
    plain = [[x.copy() for x in v] for v in vectors]
    names = "g_main", "g_aux", "ema"
    with pytest.raises(ValueError, match="must not share memory; leaf") as refused:
        bloop_numpy.step(*vectors, **WEIGHTS, inplace=True)
    assert {names[i], names[j]} <= set(re.split(r"[ ,]+", str(refused.value)))
    for x, y in zip(chain(*vectors), chain(*plain), strict=True):
        np.testing.assert_array_equal(x, y)


def test_main_gradients_that_share_memory_are_read(gradient: Any, is_exact: Any) -> None:
    g, a, e = (gradient(i, shapes=[(6,), (6,), (5,)]) for i in range(3))
    g = [g[0], g[0], g[0][1:]]
    plain = [[x.copy() for x in v] for v in (g, a, e)]
    is_exact(bloop_numpy.step(g, a, e, **WEIGHTS, inplace=True), *plain)
