"""Mistakes in dtypes: inner products and EMAs in too few bits, outputs in the wrong dtype."""

from collections.abc import Callable

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.methods.bloop.mistakes.pieces import Now, Pair, like, wide
from bloop_proofs.methods.bloop.mistakes.wrong import listed, wrong_step

SINGLE = 2.0**-24
HALF = 2.0**-11
DTYPES = "protocol: the direction has g_main's dtypes, the new EMA has ema's"

OWN = listed(
    """
at section 2.1, the sums of the inner products
inner-products-are-in-half-precision
    The inner products are computed in g_aux's dtype: in float16 they overflow.
    read(x) = own(x)
    -> Sum the products of half-precision entries in float32 or wider.
    """,
    group="numerics",
)

IN_SINGLE = listed(
    """
at section 2.1, the sums of the inner products
inner-products-are-in-single-precision
    The inner products of float64 leaves are computed in float32.
    read(x) = single(x)
    -> Sum the products of float64 entries in float64.
at protocol: the direction has g_main's dtypes, the new EMA has ema's
everything-is-in-single-precision: All vectors are converted to float32, and the results back.
    g = single(g)
    a = single(a)
    e = single(e)
    -> Compute in the leaves' own dtype or wider.
at Algorithm 1, the EMA's update
ema-is-kept-in-single-precision: The new EMA is rounded to float32, whatever its dtype is.
    stored(z) = single(z)
    -> Keep the EMA in its own dtype.
    """,
    group="numerics",
    unit=SINGLE,
)

IN_HALF = listed(
    """
at section 2.1, the sums of the inner products
inner-products-are-autocast
    The inner products of float32 leaves are computed in float16, as under autocast.
    read(x) = half(x)
    -> Leave the half-precision region, or sum in the leaves' dtype.
    """,
    group="numerics",
    unit=HALF,
)


def _single(gradient: Gradient) -> Gradient:
    return [x.astype(np.complex64 if x.dtype.kind == "c" else np.float32) for x in gradient]


def _all(change: Callable[[Gradient], Gradient], s: Now) -> Pair:
    """Return the outputs for inputs that have all been changed."""
    return s.but(g=change(s.g), a=change(s.a), e=change(s.e)).step()


@wrong_step(
    where=DTYPES, mend="Cast the results back to the dtypes of g_main and ema.", unit=SINGLE
)
def everything_is_returned_in_single_precision(s: Now) -> Pair:
    """All vectors are converted to float32, and so returned."""
    return _all(_single, s)


@wrong_step(where=DTYPES, mend="Cast the results back to the dtypes of g_main and ema.")
def everything_is_returned_in_double_precision(s: Now) -> Pair:
    """All vectors are converted to float64, and so returned."""
    return _all(lambda vector: [wide(x) for x in vector], s)


@wrong_step(where=DTYPES, mend="Cast the direction to g_main's dtypes.")
def direction_has_the_dtype_of_the_ema(s: Now) -> Pair:
    """The direction comes in the dtypes of the EMA."""
    direction, average = s.step()
    return like(direction, s.e), average


@wrong_step(where=DTYPES, mend="Cast each leaf of the direction to the dtype of g_main's.")
def direction_has_the_widest_dtype(s: Now) -> Pair:
    """The coefficient, a scalar of the widest dtype of all leaves, gives its dtype to them all."""
    direction, average = s.step()
    widest = np.result_type(*(x.dtype for vector in (s.g, s.a, s.e) for x in vector))
    return [x.astype(np.result_type(x.dtype, widest)) for x in direction], average


@wrong_step(where=DTYPES, mend="Keep the EMA in its own dtypes.")
def new_ema_has_the_dtype_of_the_gradient(s: Now) -> Pair:
    """The new EMA comes in the dtypes of g_main."""
    direction, average = s.step()
    return direction, like(average, s.g)


@wrong_step(where=DTYPES, mend="Treat each leaf in its own dtype.")
def all_leaves_get_one_dtype(s: Now) -> Pair:
    """The leaves are joined in one long vector, and all get its dtype."""
    outputs = s.step()
    joined = [np.result_type(*(x.dtype for x in vector)) for vector in outputs]
    direction, average = ([x.astype(t) for x in v] for v, t in zip(outputs, joined, strict=True))
    return direction, average


AVERAGE = listed(
    """
at Algorithm 1, the EMA's update
ema-is-updated-in-the-dtype-of-the-gradient
    A float32 EMA is rounded to the half precision of g_main, and stalls.
    stored(z) = narrowed(z)
    -> Update the EMA in its own dtype, at least float32, and cast g_main to that.
    """,
    group="numerics",
)
