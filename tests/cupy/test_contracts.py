"""Dtypes, places, missing leaves, and launches of the step on CuPy arrays."""

from itertools import chain
from typing import Any

import numpy as np
import pytest

import bloop_ref
from bloop_proofs import exact
from bloop_proofs.subject import flat
from tests.benchmarks.workloads import resnet50_shapes
from tests.tolerances import (
    norm,
    reference_direction_factor,
)

pytest.importorskip("cupy", reason="cupy is not installed")
pytest.importorskip("ml_dtypes", reason="ml_dtypes is not installed")

import ml_dtypes

import bloop_cupy
from bloop_cupy import steps
from bloop_cupy.table import group
from tests.cupy.machine import array, values
from tests.cupy.takes import (
    LAM,
    RHO,
    SHAPES,
    WEIGHTS,
    draw,
    here,
    require_exact,
    step,
    there,
)


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16, "float32", "float64"])
def test_in_place_takes_the_arrays_and_gives_the_same_bits(dtype: Any, launches: list[Any]) -> None:
    vectors = [draw(0, dtype), draw(1, dtype), draw(2, "float32")]
    required = step(*vectors)
    g, a, e = map(there, vectors)
    direction, average = bloop_cupy.step(g, a, e, **WEIGHTS, inplace=True)
    assert all(x is y for x, y in zip(direction + average, a + e, strict=True))
    for found, expected in zip(here(direction + average), chain(*required), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16])
def test_half_precision_has_a_float32_average(dtype: Any, launches: list[Any]) -> None:
    g, a = (draw(i, dtype) for i in range(2))
    direction, average = step(g, a, [None] * len(SHAPES))
    assert {x.dtype for x in direction} == {np.dtype(dtype)}
    assert {x.dtype for x in average} == {np.dtype("float32")}
    require_exact((direction, average), g, a, [np.zeros(shape, "float32") for shape in SHAPES])


@pytest.mark.parametrize("dtype", ["float16", ml_dtypes.bfloat16])
def test_two_bytes_are_rounded_once(dtype: Any, launches: list[Any]) -> None:
    """Beside the middle of two neighbours, where a stop at float32 would round to the wrong one."""
    one = np.ones(5, dtype)
    step_at_one = float(np.spacing(one[0])) if dtype == "float16" else 2.0**-7
    beside = 2.0**-30 * np.array([-1.0, 0.0, 1.0, 0.5, -0.5])
    a = np.full(5, step_at_one / 2) + beside
    zeros = [np.zeros(5, dtype)]
    direction, _ = step([one], [a], zeros, lam=1.0)
    required = [1 + step_at_one if x > 0 else 1.0 for x in beside]
    np.testing.assert_array_equal(direction[0].astype(float), required)


def test_complex_leaves_have_the_real_inner_product(launches: list[Any]) -> None:
    vectors = [
        [np.asarray(x + 1j * y).astype("complex64") for x, y in zip(draw(i), draw(i + 9))]  # noqa: B905
        for i in range(3)
    ]
    found = step(*vectors)
    assert {x.dtype for x in found[0] + found[1]} == {np.dtype("complex64")}
    real = [[np.stack([x.real, x.imag], -1) for x in v] for v in vectors]
    pairs = [[np.stack([x.real, x.imag], -1) for x in v] for v in found]
    require_exact(pairs, *real)


def test_none_is_zero(launches: list[Any]) -> None:
    """Every combination of present and missing, and infinity beside what is missing."""
    shape = (7,)
    full = [draw(i, shapes=[shape] * 8) for i in range(3)]
    vectors = [
        [x if k >> j & 1 else None for k, x in enumerate(vector)] for j, vector in enumerate(full)
    ]
    zeros = [[np.zeros(shape, "float32") if x is None else x for x in v] for v in vectors]
    direction, average = step(*vectors)
    assert [x is None for x in direction] == [k == 0 for k in range(8)]
    assert [x is None for x in average] == [k in (0, 2) for k in range(8)]
    for found, expected in zip((direction, average), step(*zeros), strict=True):
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_array_equal(0 if x is None else x, y)


def test_a_weight_that_is_not_finite_leaves_none_alone(launches: list[Any]) -> None:
    g, a, e = draw(0), draw(1), [*draw(2)[:-1], None]
    a[0][0, 0] = np.inf
    direction, _ = step(g, a, e)
    assert not np.isfinite(direction[1]).any()
    np.testing.assert_array_equal(direction[-1], g[-1] + np.float32(LAM) * a[-1])


def test_what_is_missing_is_zero_beside_infinity(launches: list[Any]) -> None:
    shapes = [(3,), (3,)]
    g, a, e = draw(0, shapes=shapes), [*draw(1, shapes=shapes)[:1], None], draw(2, shapes=shapes)
    e[1][0] = np.inf
    direction, _ = step(g, a, e)  # <g_aux, e> is finite, ||e||^2 is not, so nothing is taken away
    np.testing.assert_array_equal(direction[0], g[0] + np.float32(LAM) * a[0])


def test_where_all_is_zero_nothing_is_taken_away(launches: list[Any]) -> None:
    g, zeros = draw(0, "float64"), [np.zeros(shape) for shape in SHAPES]
    direction, _ = step(g, zeros, zeros)
    for found, required in zip(direction, g, strict=True):
        np.testing.assert_array_equal(found, required)


def test_the_least_numbers_have_a_unit_too(launches: list[Any]) -> None:
    zero, least = [np.zeros(3)], [np.ldexp([1.0, 2.0, -5.0], -1074)]
    direction, average = step(zero, least, least)
    np.testing.assert_array_equal(direction[0], zero[0])
    assert np.isfinite(average[0]).all()


def test_in_place_gives_memory_to_what_has_none(launches: list[Any]) -> None:
    g, a, e = there(draw(0)), [None] * len(SHAPES), there(draw(2))
    required = step(draw(0), a, draw(2))
    direction, average = bloop_cupy.step(g, a, e, **WEIGHTS, inplace=True)
    assert all(x is y for x, y in zip(average, e, strict=True))
    for found, expected in zip(here(direction + average), chain(*required), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_many_leaves_take_as_many_launches_as_one(launches: list[Any]) -> None:
    shapes = [tuple(min(n, 6) for n in shape) for shape in resnet50_shapes()]
    vectors = [draw(i, shapes=shapes) for i in range(3)]
    found = step(*vectors)
    assert [name for name, _ in launches] == ["products", "settle", "pack", "combine"]
    require_exact(found, *vectors)


def test_each_signature_is_launched_once(launches: list[Any]) -> None:
    vectors = [[*draw(i, "float32"), *draw(i, "float64"), *draw(i + 5, "float32")] for i in (0, 1)]
    average = [*draw(3, "float32"), *draw(3, "float64"), *draw(4, "float32")]
    found = step(*vectors, average)
    signatures = [signature for name, signature in launches if name == "combine"]
    assert sorted(signatures) == [("double",) * 5, ("float",) * 5]
    narrow = reference_direction_factor(1, wider_sums=True) * 2.0**-24
    sizes = [norm(flat(v)) for v in vectors]
    error = flat(found[0]) - exact.direction(vectors[0], vectors[1], average, lam=LAM)
    assert norm(error) <= narrow * (sizes[0] + LAM * sizes[1])


def test_no_leaf_needs_no_launch(launches: list[Any]) -> None:
    assert bloop_cupy.step([], [], [], **WEIGHTS) == ([], [])
    assert bloop_cupy.step([None], [None], [None], **WEIGHTS) == ([None], [None])
    empty = [np.zeros((0, 3), "float32")]
    assert step(empty, empty, empty)[0][0].shape == (0, 3)
    assert launches == []


def test_weights_on_the_device_are_not_read_by_the_host(launches: list[Any]) -> None:
    there_it_is = array(np.float64(-0.75))
    one = group([tuple(there([np.ones(3, "float32")] * 5))])[0]
    packed, read = steps._weights(((1, 0.5, there_it_is), (0.25, 0, 0.75)), one.signature, False)
    np.testing.assert_array_equal(values(packed), [1, 0.5, -0.75, 0.25, 0, 0.75])
    assert read == 0b101111


def test_the_kernels_take_the_products_that_bloop_reads() -> None:
    assert bloop_ref.Bloop(LAM, RHO).pairs(2) == steps.PAIRS


def test_steps_of_a_tree(launches: list[Any]) -> None:
    names = ("w", "b")
    vectors = [dict(zip(names, draw(i, shapes=[(3, 2), (2,)]), strict=True)) for i in range(3)]
    trees = [{name: array(x) for name, x in v.items()} for v in vectors]
    direction, average = bloop_cupy.step(*trees, **WEIGHTS)
    assert set(direction) == set(average) == set(names)
    found = [[values(tree[name]) for name in names] for tree in (direction, average)]
    require_exact(found, *([v[name] for name in names] for v in vectors))
