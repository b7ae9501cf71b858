"""One step of Algorithm 1 on CuPy arrays, pure or in place."""

from collections.abc import Sequence
from typing import Any

import cupy as cp
import numpy as np

from bloop_cupy import launch
from bloop_cupy.launch import Signature
from bloop_cupy.table import Group, check_arrays, check_in_place, group, outputs, readable
from bloop_ref import Bloop
from bloop_ref.aliases import Array, Rows, Scalar, Vector
from bloop_ref.gramian import Gramian
from bloop_ref.scalars import as_scalar, is_nothing
from bloop_ref.vectors import align

PAIRS = ((1, 2), (2, 2))
"""The inner products that the kernels take: <g_aux, e> and ||e||^2."""

NOWHERE = np.uint64(0)
"""No address."""


def step(
    g_main: Vector,
    g_aux: Vector,
    ema: Vector,
    *,
    lam: Scalar,
    rho: Scalar,
    inplace: bool = False,
) -> tuple[Vector, Vector]:
    """Return Bloop's direction and the next moving average of main gradients.

    d = g_main + lam pi(g_aux; e) and e <- (1 - rho) e + rho g_main, all leaves together. All
    arithmetic is that of float64, and each entry is rounded once. Two passes are made over all
    leaves, one launch each for every combination of dtypes among them; the few scalars between
    them stay on the device. With a float64 leaf, sums that leave the range are taken again over a
    power of two; where the largest entries of ``g_aux`` and ``ema`` lie more than about 1e141
    apart, the direction is NaN.

    Args:
        g_main: the main gradient, a pytree of CuPy arrays on one device; ``None`` is zero.
        g_aux: the auxiliary gradient, of the same structure and shapes.
        ema: the moving average of main gradients before this step, likewise.
        lam: the weight of the auxiliary loss, >= 0.
        rho: the weight of the new gradient in the average, in [0, 1].
        inplace: write the direction over ``g_aux`` and the new average over ``ema``; only what
            is ``None`` there gets memory of its own.

    Returns:
        The direction, with the dtypes of ``g_main``, and the new average, with those of ``ema``,
        at least float32 where it was ``None``.

    Raises:
        TypeError: a leaf is no floating CuPy array; in place, the dtypes of ``g_aux`` are not
            those of ``g_main``.
        ValueError: structures, shapes or devices differ, or lam or rho is out of range; in place, a
            leaf of ``g_aux`` or ``ema`` is not contiguous, or shares memory with another leaf.

    Example, on a GPU:
        direction, ema = step(g_main, g_aux, ema, lam=0.5, rho=0.01, inplace=True)

    Source: Algorithm 1 and eq. 5.
    """
    stack = align(g_main=g_main, g_aux=g_aux, ema=ema)
    device = check_arrays(stack)
    if inplace:
        check_in_place(stack)
    with launch.on(device):
        lam, rho = as_scalar("lam", lam, stack), as_scalar("rho", rho, stack, most=1)
        written = outputs(stack, inplace)
        columns = (*readable(stack.leaves), *written)
        # only float64 leaves have products that leave the range of float64
        _run(Bloop(lam, rho), stack.paired, group(list(zip(*columns, strict=True))))
    direction, average = map(stack.unflatten, written)
    return direction, average


def _run(method: Bloop, peaks: bool, groups: Sequence[Group]) -> None:
    """Compute the outputs of a table; ``peaks`` watches the range of float64."""
    if not groups:
        return
    tables = [launch.upload(one.table) for one in groups]
    rows = _rows(method, peaks, groups, tables)
    weights, read = _weights(rows, groups[0].signature, peaks)
    for one, table in zip(groups, tables, strict=True):
        arguments = table, np.int32(len(one.table)), weights, read
        launch.run("combine", one.signature, peaks, one.blocks, *arguments)


def _rows(method: Bloop, peaks: bool, groups: Sequence[Group], tables: Sequence[Array]) -> Rows:
    """Return the matrix of the step, its inner products taken over all leaves."""
    partials = cp.empty((sum(one.blocks for one in groups), 4), cp.float64)
    state = cp.empty(5, cp.float64)
    for again in (0, 1) if peaks else (0,):
        done = 0
        for one, table in zip(groups, tables, strict=True):
            room = partials[done : done + one.blocks]
            arguments = table, np.int32(len(one.table)), state if again else NOWHERE, room
            launch.run("products", one.signature, peaks, one.blocks, *arguments)
            done += one.blocks
        totals = partials, np.int64(done), state, np.int32(again)
        launch.run("settle", groups[0].signature, peaks, 1, *totals)
    sums = launch.scalars(state[:2])
    rows, _ = method.matrix(Gramian(dict(zip(PAIRS, sums, strict=True)), size=3))
    return rows


def _weights(rows: Rows, signature: Signature, peaks: bool) -> tuple[Array, np.int32]:
    """Return the weights as one array on the device, and bits that say which of them are read."""
    flat = [weight for row in rows for weight in row]
    arguments: list[Any] = []
    for weight in flat:
        there = isinstance(weight, cp.ndarray)
        arguments += [np.float64(0 if there else weight), weight if there else NOWHERE]
    weights = cp.empty(len(flat), cp.float64)
    launch.run("pack", signature, peaks, 1, weights, *arguments)
    return weights, np.int32(sum(1 << k for k, x in enumerate(flat) if not is_nothing(x)))
