"""What the step on CuPy arrays refuses, and what it need not refuse."""

import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cupy", reason="cupy is not installed")
pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")

import cupy as cp

import bloop_cupy
from tests.cupy.machine import array, values
from tests.cupy.takes import (
    WEIGHTS,
    draw,
    here,
    require_exact,
    step,
    there,
)


def flawed() -> dict[str, Any]:
    """Return vectors that no step takes, with what it says of them."""
    x = array(np.ones(4, "float32"))
    y = array(np.ones(4, "float32"))
    z = array(np.ones(4, "float32"))
    w, v = array(np.ones(4, "float32")), array(np.ones(4, "float32"))
    wide = array(np.ones(8, "float32"))
    double = array(np.ones(4, "float64"))
    return {
        "integers": (([array(np.ones(4, "int32"))], [y], [z]), TypeError, "g_main[0]"),
        "NumPy": (([np.ones(4)],) * 3, TypeError, "g_main[0] must be a CuPy array or None"),
        "mixed": (([x], [np.ones(4)], [z]), TypeError, "g_aux[0]"),
        "shapes": (([x], [y], [wide]), ValueError, "ema[0] must have the shape of g_main[0]"),
        "structures": (([x], [y], [z, None]), ValueError, "ema must have the tree structure"),
        "kinds": (([x], [array(np.ones(4, "F"))], [z]), ValueError, "g_aux[0]"),
        "in place, dtype": (([x], [double], [z]), TypeError, "g_aux[0] must have the dtype"),
        "in place, strided": (([x], [y], [wide[::2]]), ValueError, "ema[0] must be contiguous"),
        "in place, shared": (([x], [x], [z]), ValueError, "g_main[0] and g_aux[0] share"),
        "in place, shared across leaves": (
            ([x, w], [y, v], [z, x]),
            ValueError,
            "g_main[0] and ema[1] share",
        ),
        "in place, overlapping": (
            ([x], [wide[:4]], [wide[2:6]]),
            ValueError,
            "g_aux[0] and ema[0] share",
        ),
    }


def test_bad_vectors_are_named(launches: list[Any]) -> None:
    for case, (vectors, error, message) in flawed().items():
        with pytest.raises(error, match=re.escape(message)):
            bloop_cupy.step(*vectors, **WEIGHTS, inplace=case.startswith("in place"))
    assert launches == []


@pytest.mark.parametrize(
    ("weights", "error"),
    [
        ({"lam": -1.0, "rho": 0.5}, ValueError),
        ({"lam": np.inf, "rho": 0.5}, ValueError),
        ({"lam": 1.0, "rho": 1.5}, ValueError),
        ({"lam": "1", "rho": 0.5}, TypeError),
    ],
)
def test_bad_weights_are_refused(weights: Any, error: Any, launches: list[Any]) -> None:
    with pytest.raises(error, match=r"lam|rho"):
        step(draw(0), draw(1), draw(2), **weights)


def test_sharing_does_not_matter_to_a_pure_step(launches: list[Any]) -> None:
    x = draw(0)
    same = there(x)
    found = bloop_cupy.step(same, same, same, **WEIGHTS)
    require_exact([here(v) for v in found], x, x, x)
    np.testing.assert_array_equal(values(same[0]), x[0])


def test_what_is_read_twice_may_be_shared_in_place(launches: list[Any]) -> None:
    shared = array(np.ones(4, "float32"))
    a, e = (there(draw(i, shapes=[(4,)] * 2)) for i in (1, 2))
    bloop_cupy.step([shared, shared], a, e, **WEIGHTS, inplace=True)
    np.testing.assert_array_equal(values(shared), np.ones(4))


def test_strided_leaves_are_copied(launches: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cp, "ascontiguousarray", lambda x: array(values(x)))
    vectors = [draw(i, shapes=[(6, 8)]) for i in range(3)]
    strided = [[array(x[0])[::2, ::-2]] for x in vectors]
    found = bloop_cupy.step(*strided, **WEIGHTS)
    require_exact([here(v) for v in found], *([x[0][::2, ::-2]] for x in vectors))
