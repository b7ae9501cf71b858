"""Mistakes in form: leaves that change their shape, their order or their number."""

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.mistakes.mistake import wrong_step
from bloop_proofs.mistakes.pieces import Pair, right

SHAPES = "protocol: the outputs have the shapes of the inputs, leaf by leaf"


@wrong_step(where=SHAPES, mend="Give each leaf of the outputs its shape back.")
def leaves_are_returned_flat(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """Every leaf of the outputs has one axis."""
    outputs = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return [x.ravel() for x in outputs[0]], [x.ravel() for x in outputs[1]]


@wrong_step(where=SHAPES, mend="Give parameters of shape () outputs of shape ().")
def zero_dimensional_leaves_get_an_axis(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """Leaves of shape () come back with shape (1,)."""
    outputs = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return [np.atleast_1d(x) for x in outputs[0]], [np.atleast_1d(x) for x in outputs[1]]


@wrong_step(where=SHAPES, mend="Keep axes of length 1.")
def axes_of_length_one_are_dropped(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """The outputs are squeezed."""
    outputs = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return [np.squeeze(x) for x in outputs[0]], [np.squeeze(x) for x in outputs[1]]


@wrong_step(where=SHAPES, mend="Return the leaves in the order in which they came.")
def leaves_are_returned_in_reverse(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """The leaves of both outputs come in reverse order."""
    outputs = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return outputs[0][::-1], outputs[1][::-1]


@wrong_step(where=SHAPES, mend="Return the leaves in the order in which they came.")
def leaves_are_returned_by_size(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """The leaves of both outputs are sorted by their number of entries."""
    outputs = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return sorted(outputs[0], key=np.size), sorted(outputs[1], key=np.size)


@wrong_step(where=SHAPES, mend="Return leaves without entries too.")
def empty_leaves_are_left_out(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """Leaves without entries are missing from the outputs."""
    outputs = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return [x for x in outputs[0] if x.size], [x for x in outputs[1] if x.size]


@wrong_step(
    where="protocol: leaves without entries", mend="Let leaves without entries add nothing."
)
def empty_leaves_raise(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """The largest entry of each leaf is asked for, and some leaf has none."""
    assert all(np.max(np.abs(x)) >= 0 or np.isnan(x).any() for x in ema)
    return right(g_main, g_aux, ema, lam=lam, rho=rho)


@wrong_step(where=SHAPES, mend="Subtract vectors of one shape: give both the leaf's own.")
def columns_are_broadcast_against_rows(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """Leaves of shape (n, 1) are flattened in part, and come back as (n, n)."""
    direction, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
    zero = [np.zeros_like(x.ravel()) if x.shape[1:] == (1,) else 0 for x in direction]
    return [(x + z).astype(x.dtype) for x, z in zip(direction, zero, strict=True)], average
