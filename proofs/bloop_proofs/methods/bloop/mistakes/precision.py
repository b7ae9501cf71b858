"""Mistakes in dtypes: inner products and EMAs in too few bits, outputs in the wrong dtype."""

from collections.abc import Callable

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.methods.bloop.mistakes.pieces import (
    Now,
    Pair,
    like,
    ratio,
    right,
    subtracting,
    wide,
)
from bloop_proofs.methods.bloop.mistakes.wrong import wrong_average, wrong_direction, wrong_step

SINGLE = 2.0**-24
DTYPES = "protocol: the direction has g_main's dtypes, the new EMA has ema's"
SUMS = "section 2.1, the sums of the inner products"


def own_share(u: Gradient, v: Gradient) -> float:
    """Return the coefficient <u, v> / ||v||^2 from products and sums in the leaves' own dtypes."""
    uv, vv = (
        sum(np.sum(np.conj(x) * y).real for x, y in zip(first, v, strict=True)) for first in (u, v)
    )
    return float(np.asarray(ratio(uv, vv)))


@wrong_direction(
    where=SUMS,
    mend="Sum the products of half-precision entries in float32 or wider.",
    group="numerics",
)
def inner_products_are_in_half_precision(s: Now) -> Gradient:
    """The inner products are computed in g_aux's dtype: in float16 they overflow."""
    return subtracting(own_share(s.a, like(s.e, s.a)), s)


def _single(gradient: Gradient) -> Gradient:
    return [x.astype(np.complex64 if x.dtype.kind == "c" else np.float32) for x in gradient]


def _all(change: Callable[[Gradient], Gradient], s: Now) -> Now:
    """Return the inputs with a change made to every vector."""
    return s.but(g=change(s.g), a=change(s.a), e=change(s.e))


@wrong_step(where=SUMS, mend="Sum the products of float64 entries in float64.", unit=SINGLE)
def inner_products_are_in_single_precision(s: Now) -> Pair:
    """The inner products of float64 leaves are computed in float32."""
    direction = like(subtracting(own_share(_single(s.a), _single(s.e)), s), s.g)
    return direction, right(s)[1]


@wrong_step(
    where=SUMS, mend="Leave the half-precision region, or sum in the leaves' dtype.", unit=2.0**-11
)
def inner_products_are_autocast(s: Now) -> Pair:
    """The inner products of float32 leaves are computed in float16, as under autocast."""
    low = [[x.astype(np.float16) if x.dtype.kind == "f" else x for x in v] for v in (s.a, s.e)]
    direction = like(subtracting(own_share(*low), s), s.g)
    return direction, right(s)[1]


@wrong_step(where=DTYPES, mend="Compute in the leaves' own dtype or wider.", unit=SINGLE)
def everything_is_in_single_precision(s: Now) -> Pair:
    """All vectors are converted to float32, and the results back."""
    low = _all(_single, s)
    direction = _single(subtracting(own_share(low.a, low.e), low))
    average = right(low)[1]
    return like(direction, s.g), like(average, s.e)


@wrong_step(
    where=DTYPES, mend="Cast the results back to the dtypes of g_main and ema.", unit=SINGLE
)
def everything_is_returned_in_single_precision(s: Now) -> Pair:
    """All vectors are converted to float32, and so returned."""
    return right(_all(_single, s))


@wrong_step(where=DTYPES, mend="Cast the results back to the dtypes of g_main and ema.")
def everything_is_returned_in_double_precision(s: Now) -> Pair:
    """All vectors are converted to float64, and so returned."""
    return right(_all(lambda vector: [wide(x) for x in vector], s))


@wrong_step(where=DTYPES, mend="Cast the direction to g_main's dtypes.")
def direction_has_the_dtype_of_the_ema(s: Now) -> Pair:
    """The direction comes in the dtypes of the EMA."""
    direction, average = right(s)
    return like(direction, s.e), average


@wrong_step(where=DTYPES, mend="Keep the EMA in its own dtypes.")
def new_ema_has_the_dtype_of_the_gradient(s: Now) -> Pair:
    """The new EMA comes in the dtypes of g_main."""
    direction, average = right(s)
    return direction, like(average, s.g)


@wrong_step(where=DTYPES, mend="Treat each leaf in its own dtype.")
def all_leaves_get_one_dtype(s: Now) -> Pair:
    """The leaves are joined in one long vector, and all get its dtype."""
    direction, average = right(s)
    joined = [np.result_type(*(x.dtype for x in vector)) for vector in (direction, average)]
    return [x.astype(joined[0]) for x in direction], [x.astype(joined[1]) for x in average]


@wrong_average(
    where="Algorithm 1, the EMA's update",
    mend="Update the EMA in its own dtype, at least float32, and cast g_main to that.",
    group="numerics",
)
def ema_is_updated_in_the_dtype_of_the_gradient(s: Now) -> Gradient:
    """A float32 EMA is rounded to the half precision of g_main, and stalls."""
    e, g = like(s.e, s.g), s.g
    return [
        ((1 - s.rho) * x).astype(y.dtype) + (s.rho * y).astype(y.dtype)
        for x, y in zip(e, g, strict=True)
    ]
