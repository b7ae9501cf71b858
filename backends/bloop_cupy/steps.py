"""One step of Algorithm 1 on CuPy arrays, pure or in place."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import cupy as cp

from bloop_cupy.kernels import combine, inner_products
from bloop_ref._scalars import as_scalar
from bloop_ref._typing import Array, Scalar, Vector
from bloop_ref._vectors import Columns, align
from bloop_ref.coefficients import step_matrix


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

    d = g_main + lam pi(g_aux; e) and e <- (1 - rho) e + rho g_main, all leaves together. Sums are
    taken in float64, the rest in the arithmetic of each leaf, at least float32. Two kernels run
    over each leaf; the few scalars between them stay on the device. For float64 leaves ||e||^2 must
    be a normal number: magnitudes between about 1e-150 and 1e150.

    Args:
        g_main: the main gradient, a pytree of CuPy arrays; ``None`` is zero.
        g_aux: the auxiliary gradient, of the same structure and shapes.
        ema: the moving average of main gradients before this step, likewise.
        lam: the weight of the auxiliary loss, >= 0.
        rho: the weight of the new gradient in the average, in [0, 1].
        inplace: write the direction over ``g_aux`` and the new average over ``ema``.

    Returns:
        The direction, with the dtypes of ``g_main``, and the new average, with those of ``ema``.

    Raises:
        TypeError: a leaf is no floating CuPy array; in place, the dtypes of ``g_aux`` are not
            those of ``g_main``.
        ValueError: structures or shapes differ, or lam or rho is out of range; in place, a leaf is
            ``None`` or a complex one not contiguous, or an array is used twice.

    Source: Algorithm 1 and eq. 5.
    """
    columns = align(g_main=g_main, g_aux=g_aux, ema=ema)
    lam = as_scalar("lam", lam, columns)
    rho = as_scalar("rho", rho, columns, most=1)
    if inplace:
        _check_in_place(columns)
    rows = [row for row in zip(*columns.leaves, strict=True) if any(x is not None for x in row)]
    vectors = [[_filled(row, j) for row in rows] for j in range(3)]
    outputs = vectors[1:] if inplace else [_fresh(vectors[j]) for j in (0, 2)]
    real = [[_real(x) for x in vector] for vector in (*vectors, *outputs)]
    combine(step_matrix(*inner_products(*real[1:3]), lam=lam, rho=rho), real[:3], real[3:])
    direction, average = (iter(output) for output in outputs)
    places = list(zip(*columns.leaves, strict=True))
    return (
        columns.unflatten(tuple(_next(direction, row, row) for row in places)),
        columns.unflatten(tuple(_next(average, row, (row[0], row[2])) for row in places)),
    )


def _filled(row: Sequence[Array | None], j: int) -> Array:
    """Return a leaf, or zeros; those of an average are at least float32."""
    leaf = row[j]
    if leaf is not None:
        return leaf
    like = next(x for x in row if x is not None)
    dtype = cp.result_type(like.dtype, cp.float32) if j == 2 else like.dtype
    return cp.zeros(like.shape, dtype)


def _fresh(vector: Sequence[Array]) -> list[Array]:
    return [cp.empty(x.shape, x.dtype) for x in vector]


def _real(x: Array) -> Array:
    """Return an array, if complex the real and imaginary parts in one real array."""
    if x.dtype.kind != "c":
        return x
    return cp.ascontiguousarray(x).reshape(-1).view(x.real.dtype)


def _next(
    leaves: Iterator[Array], row: Sequence[Array | None], made_of: Sequence[Array | None]
) -> Array | None:
    """Return the next output, if the row has one; ``None`` where all it is made of is."""
    leaf = None if all(x is None for x in row) else next(leaves)
    return None if all(x is None for x in made_of) else leaf


def _check_in_place(columns: Columns) -> None:
    """Raise unless the direction can take the place of g_aux, and the new average that of ema."""
    for i, (g_main, g_aux, ema) in enumerate(zip(*columns.leaves, strict=True)):
        if g_main is None or g_aux is None or ema is None:
            raise ValueError(f"in place, every leaf must be an array; found None in leaf {i}")
        if g_aux.dtype != g_main.dtype:
            raise TypeError(
                "in place, g_aux must have the dtypes of g_main, which the direction has: "
                f"required {g_main.dtype} for leaf {i}, found {g_aux.dtype}"
            )
        if g_aux.dtype.kind == "c" and not (g_aux.flags.c_contiguous and ema.flags.c_contiguous):
            raise ValueError(f"in place, complex leaves must be contiguous; leaf {i} is not")
        if any(cp.may_share_memory(x, y) for x, y in combinations((g_main, g_aux, ema), 2)):
            raise ValueError(
                f"in place, g_main, g_aux and ema must not share memory; leaf {i} of them does"
            )
