"""The compiled core: Algorithm 1 with its options, on leaves that are known to fit together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp

from bloop_jax.gram import gram_matrix
from bloop_jax.linear import AxisName, Leaves, all_finite, combine, first_dtypes
from bloop_ref._typing import Array, Scalar
from bloop_ref.coefficients import bloop_row, ema_row, rescaling, step_matrix


@dataclass(frozen=True)
class Options:
    """What is fixed when a step is compiled; the defaults are those of the bare equations."""

    project_on: str = "previous"
    init: str = "zeros"
    nonfinite: str = "propagate"
    rescale: bool = False
    axis_name: AxisName = None


Outputs: TypeAlias = tuple[Sequence[Array | None], Sequence[Array | None], Scalar]
"""The direction, the new average, and whether the main gradient is finite."""


def _advance(
    g_main: Leaves,
    g_aux: Leaves,
    ema: Leaves,
    lam: Scalar,
    rho: Scalar,
    *,
    fresh: Scalar,
    options: Options,
) -> Outputs:
    """Take one step; ``fresh`` says whether no gradient has entered the average yet."""
    axis = options.axis_name
    types = average_dtypes(g_main, ema)
    before: Leaves = ema
    if options.init == "first":
        start = [None if x is None else x.astype(t) for x, t in zip(g_main, types, strict=True)]
        before = _choose(fresh, start, ema)
    skips = options.nonfinite != "propagate"
    finite = all_finite(g_main, axis) if skips else jnp.asarray(True)
    factor = rescaling(lam=lam) if options.rescale else 1
    if options.project_on == "previous":
        direction, after = _step(g_main, g_aux, before, lam, rho, types, factor, axis)
        return direction, _choose(finite, after, ema) if skips else after, finite
    (after,) = combine((ema_row(rho=rho),), (g_main, before), dtypes=(types,))
    new_ema = _choose(finite, after, ema) if skips else after
    return _direction(g_main, g_aux, new_ema, lam, factor, axis), new_ema, finite


advance = jax.jit(_advance, static_argnames="options")
advance_donating = jax.jit(_advance, static_argnames="options", donate_argnames=("g_aux", "ema"))


def _step(
    g_main: Leaves,
    g_aux: Leaves,
    ema: Leaves,
    lam: Scalar,
    rho: Scalar,
    types: Sequence[Any],
    factor: Scalar,
    axis_name: AxisName,
) -> tuple[list[Array | None], ...]:
    """Return the direction and the new average, all of a leaf in one pass."""
    vectors = (g_main, g_aux, ema)
    products, units = _products(g_aux, ema, axis_name)
    on_direction, on_average = step_matrix(*products, lam=lam, rho=rho)
    rows = (tuple(factor * weight for weight in on_direction), on_average)
    dtypes = (first_dtypes(vectors), types)
    return combine(rows, vectors, units=(None, None, units), dtypes=dtypes)


def _direction(
    g_main: Leaves, g_aux: Leaves, ema: Leaves, lam: Scalar, factor: Scalar, axis_name: AxisName
) -> list[Array | None]:
    """Return the direction alone."""
    vectors = (g_main, g_aux, ema)
    products, units = _products(g_aux, ema, axis_name)
    row = tuple(factor * weight for weight in bloop_row(*products, lam=lam))
    dtypes = (first_dtypes(vectors),)
    return combine((row,), vectors, units=(None, None, units), dtypes=dtypes)[0]


def _products(
    g_aux: Leaves, ema: Leaves, axis_name: AxisName
) -> tuple[tuple[Scalar, Scalar], tuple[Scalar, Scalar]]:
    """Return <g_aux, e> and ||e||^2 over the units of e and g_aux, and these units.

    pi(g_aux; e) has the unit of g_aux, whatever that of e.
    """
    gram, (unit_aux, unit_ema) = gram_matrix((g_aux, ema), ((0, 1), (1, 1)), axis_name)
    return (gram[0][1], gram[1][1]), (unit_ema, unit_aux)


def average_dtypes(g_main: Leaves, ema: Leaves) -> list[Any]:
    """Return the dtypes of the new average: those of the old, or at least float32."""
    return [
        e.dtype if e is not None else None if g is None else jnp.promote_types(g.dtype, jnp.float32)
        for g, e in zip(g_main, ema, strict=True)
    ]


def _choose(condition: Scalar, new: Leaves, old: Leaves) -> list[Array | None]:
    """Return one vector or the other; a ``None`` leaf is zero."""
    return [
        None if x is None and y is None else jnp.where(condition, _or_zeros(x, y), _or_zeros(y, x))
        for x, y in zip(new, old, strict=True)
    ]


def _or_zeros(leaf: Array | None, like: Array) -> Array:
    return jnp.zeros_like(like) if leaf is None else leaf
