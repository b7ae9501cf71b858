"""The kernels on addresses, and the two primitives on arrays that are made of them."""

import multiprocessing
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bloop_numpy
from bloop_numpy import kernels
from bloop_proofs.tolerances import inner_product_bound, norm

SIZES = (0, 1, (1 << 14) - 1, 1 << 14, (1 << 14) + 1, 3 * (1 << 14) + 5)


def table_of(vectors: Any) -> kernels.Table:
    sizes = [next(x.size for x in row if x is not None) for row in zip(*vectors, strict=True)]
    dtype = next(x.dtype for x in vectors[0] if x is not None)
    return kernels.table(addresses(vectors), sizes, dtype)


def addresses(vectors: Any) -> list[list[int]]:
    return [[0 if x is None else x.ctypes.data for x in vector] for vector in vectors]


def vectors_of(sizes: Any, dtype: Any, count: int) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    # small integers: every sum and combination is exact
    return [[rng.integers(-9, 9, n).astype(dtype) for n in sizes] for _ in range(count)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [SIZES, SIZES[::-1], (1,) * 200, (1 << 14,), ()])
def test_sizes_around_blocks_are_exact(sizes: Any, dtype: str, threads: int) -> None:
    vectors = vectors_of(sizes, dtype, 3)
    if not sizes:
        assert kernels.inner_products(kernels.table([[], []], [], dtype), [(0, 1)]) == ([0.0], True)
        return
    wide = [np.concatenate(v).astype(np.float64) for v in vectors]
    sums, _ = kernels.inner_products(table_of(vectors), [(0, 1), (2, 2), (2, 0)])
    assert sums == [wide[0] @ wide[1], wide[2] @ wide[2], wide[2] @ wide[0]]
    assert kernels.largest(table_of(vectors), [2, 0]) == [abs(wide[2]).max(), abs(wide[0]).max()]
    matrix = (1, 0.5, -2.0), (0, 0, 3), (0, 0, 0)
    kernels.combine(matrix, table_of(vectors), addresses(vectors))
    for row, found in zip(matrix, vectors, strict=True):
        required = sum(w * x for w, x in zip(row, wide, strict=True))
        np.testing.assert_array_equal(np.concatenate(found), required)


def test_many_vectors_and_rows_take_each_others_places(threads: int) -> None:
    vectors = vectors_of((1000, 77), "float32", 16)
    wide = [np.concatenate(v).astype(np.float64) for v in vectors]
    matrix = np.random.default_rng(1).integers(-3, 3, (9, 16)).tolist()
    outs = [vectors[j] for j in range(8, -1, -1)]
    kernels.combine(matrix, table_of(vectors), addresses(outs))
    for row, found in zip(matrix, outs, strict=True):
        required = sum(w * x for w, x in zip(row, wide, strict=True))
        np.testing.assert_array_equal(np.concatenate(found), required)


def test_missing_leaves_are_zero_and_unwanted_ones_unwritten() -> None:
    x, y = vectors_of((50,), "float32", 2)
    vectors = [[x[0], None], [None, y[0]]]
    leaves = table_of(vectors)
    assert kernels.inner_products(leaves, [(0, 1)]) == ([0.0], True)
    out = np.full(50, 7, np.float32)
    kernels.combine([(2, 1), (1, 3.0)], leaves, [[0, out.ctypes.data], [0, 0]])
    np.testing.assert_array_equal(out, y[0])


@pytest.mark.parametrize("count", [1, 3, 6, 9])
def test_all_pairs_of_many_vectors_are_exact(count: int, threads: int) -> None:
    vectors = vectors_of((3, (1 << 14) + 5, 40_000), "float32", count)
    # in no order, some twice, some both ways round
    every = [(i, j) for i in range(count) for j in range(count)]
    pairs = [every[k] for k in np.random.default_rng(2).permutation(len(every))] + every[:7]
    wide = np.array([np.concatenate(v).astype(np.float64) for v in vectors])
    sums, _ = kernels.inner_products(table_of(vectors), pairs)
    assert sums == [wide[i] @ wide[j] for i, j in pairs]


def test_a_missing_leaf_makes_no_product_of_many_infinite() -> None:
    count = 5
    vectors: list[list[Any]] = vectors_of((7, 50), "float64", count)
    for k, vector in enumerate(vectors):
        vector[0][0] = np.inf
        if k:
            vector[0] = None
    pairs = [(i, j) for i in range(count) for j in range(i, count)]
    leaves = kernels.table(addresses(vectors), [7, 50], "float64")
    sums, _ = kernels.inner_products(leaves, pairs)
    assert sums == [
        np.inf if pair == (0, 0) else vectors[pair[0]][1] @ vectors[pair[1]][1] for pair in pairs
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
def test_one_bad_entry_at_the_end_is_seen(dtype: str, bad: float, threads: int) -> None:
    vectors = vectors_of((3, (1 << 14) + 5), dtype, 2)
    vectors[0][-1][-1] = np.finfo(dtype).max
    leaves = table_of(vectors)
    assert kernels.inner_products(leaves, [], check=[0, 1]) == ([], True)
    vectors[1][-1][-1] = bad
    assert kernels.inner_products(leaves, [], check=[0, 1]) == ([], False)
    assert kernels.inner_products(leaves, [(0, 0)], check=[0])[1]
    assert not kernels.inner_products(leaves, [(0, 0)], check=[0, 1])[1]
    np.testing.assert_array_equal(kernels.largest(leaves, [1]), abs(np.array([bad])))


def test_scale_is_applied_to_entries_before_they_are_multiplied() -> None:
    huge = [np.full(40, 2.0**900)], [np.full(40, 2.0**-1000)]
    sums, _ = kernels.inner_products(table_of(huge), [(0, 0), (1, 1)], scale=2.0**-900)
    assert sums == [40.0, 0.0]
    sums, _ = kernels.inner_products(table_of(huge), [(1, 1)], scale=2.0**1000)
    assert sums == [40.0]


def test_a_weight_of_integer_zero_leaves_its_vector_unread() -> None:
    x, bad = np.array([1.0, -0.0]), np.array([np.nan, np.inf])
    (d,) = bloop_numpy.combine([(1, 0)], [x, bad])
    assert d.tobytes() == x.tobytes()
    (d,) = bloop_numpy.combine([(1, 0.0)], [x, bad])
    assert np.isnan(d).all()
    (d,) = bloop_numpy.combine([(-1, 0.0)], [x, np.array([-1.0, 0.0])])
    np.testing.assert_array_equal(np.signbit(d), [True, False])


def test_sums_are_float64s(gradient: Any) -> None:
    x, y = (gradient(i, shapes=((200_001,),))[0] for i in range(2))
    (found,) = bloop_numpy.inner_products([x, y], [(0, 1)])
    wide = x.astype(np.longdouble), y.astype(np.longdouble)
    required = float(wide[0] @ wide[1])
    size = norm(x.astype(float)) * norm(y.astype(float))
    bound = inner_product_bound(x.size, abs(required), size, compensated=False)
    assert abs(found - required) <= bound


def test_outputs_may_take_the_places_of_vectors(gradient: Any) -> None:
    x, y = gradient(0), gradient(1)
    required = bloop_numpy.combine([(2, 1), (0, 1.5)], [x, y])
    found = bloop_numpy.combine([(2, 1), (0, 1.5)], [x, y], outs=[y, x])
    assert found[0][0] is y[0]
    for got, want in zip([*found[0], *found[1]], [*required[0], *required[1]], strict=True):
        np.testing.assert_array_equal(got, want)


BAD: dict[str, tuple[str, Any, Any, Any]] = {
    "columns": ("matrix must have a row", [(1,)], 2, None),
    "rows": ("required 1 of 2, found [2, 2]", [(1, 2), (1, 2)], 2, [np.ones(2)]),
    "shape": ("outs[0] must have the shape", [(1, 2)], 2, [np.ones(3)]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_combinations_are_named(case: str) -> None:
    message, matrix, count, outs = BAD[case]
    with pytest.raises(ValueError, match=re.escape(message)):
        bloop_numpy.combine(matrix, [np.ones(2)] * count, outs=outs)


def test_an_output_apart_must_not_overlap() -> None:
    x = np.ones(5)
    with pytest.raises(ValueError, match="must not share memory"):
        bloop_numpy.combine([(1, 1)], [x[1:], np.ones(4)], outs=[x[:-1]])
    with pytest.raises(ValueError, match="must not share memory"):
        bloop_numpy.combine([(1,), (2,)], [np.ones(5)], outs=[x, x])


def _sum_of_squares(n: int) -> float:
    return bloop_numpy.inner_products([np.ones(n, np.float32)], [(0, 0)])[0]


def test_forked_children_can_compute(with_threads: Any) -> None:
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("no fork here")
    n = 1 << 17
    with with_threads(2):
        assert _sum_of_squares(n) == n
        code = (
            "import os, numpy as np, bloop_numpy\n"
            f"x = [np.ones({n}, np.float32)]\n"
            "bloop_numpy.inner_products(x, [(0, 0)])\n"
            "child = os.fork()\n"
            "if not child:\n"
            f"    os._exit(bloop_numpy.inner_products(x, [(0, 0)]) != [{n}.0])\n"
            "raise SystemExit(os.waitpid(child, 0)[1])"
        )
    assert _run(code, OMP_NUM_THREADS="2").returncode == 0


def _run(code: str, folder: Path | None = None, **variables: str) -> Any:
    path = [str(folder)] if folder else []
    path += [x for x in sys.path if x]
    environment = {"PYTHONPATH": ":".join(path), "PATH": "", **variables}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_kernels_are_kept_where_a_folder_can_be_written(tmp_path: Path) -> None:
    package = tmp_path / "bloop_numpy"
    shutil.copytree(Path(bloop_numpy.__file__).parent, package)
    shutil.rmtree(package / "__pycache__", ignore_errors=True)
    (package / "__pycache__").write_text("no folder, not for anybody")
    code = (
        "import numpy as np, bloop_numpy; print(bloop_numpy.inner_products([np.ones(9)], [(0, 0)]))"
    )
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "none").write_text("")
    for folder, kept in ((home, True), (tmp_path / "none", False)):
        found = _run(code, tmp_path, HOME=str(folder), XDG_CACHE_HOME=str(folder / "cache"))
        assert (found.stdout, found.stderr) == ("[9.0]\n", "")
        assert bool(list(home.rglob("*.nbc"))) if kept else not folder.is_dir()


def test_importing_waits_with_the_compiler() -> None:
    code = "import sys, bloop_numpy; raise SystemExit('numba' in sys.modules)"
    assert _run(code).returncode == 0


def test_two_python_threads_at_once(with_threads: Any) -> None:
    n = 1 << 17
    found: list[float] = []
    with with_threads(2):
        workers = [
            threading.Thread(target=lambda: found.extend(_sum_of_squares(n) for _ in range(50)))
            for _ in range(2)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert found == [n] * 100
