"""Mistakes with memory: inputs that are written to, outputs that are shared."""

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.mistakes.mistake import wrong_object, wrong_step
from bloop_proofs.mistakes.pieces import Pair, norm, right, total
from bloop_proofs.subject import Step

UNTOUCHED = "protocol: a step leaves its inputs as they were"
FRESH = "protocol: outputs are new arrays"


def write(target: Gradient, values: Gradient) -> Gradient:
    """Write values into a gradient's own memory, and return it."""
    for leaf, value in zip(target, values, strict=True):
        leaf[...] = value
    return target


@wrong_step(where=UNTOUCHED, mend="Write the new EMA to new arrays instead of updating in place.")
def ema_is_updated_in_place(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """The new EMA is written over the old one, and returned."""
    direction, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return direction, write(ema, average)


@wrong_step(where=UNTOUCHED, mend="Copy the new EMA: write to neither the input nor share with it.")
def ema_is_updated_in_place_and_copied(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """The new EMA is written over the old one, and a copy is returned."""
    direction, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
    write(ema, average)
    return direction, average


@wrong_step(where=UNTOUCHED, mend="Write the direction to new arrays, not over g_main.")
def direction_is_written_over_the_main_gradient(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """g_main becomes the direction, after the EMA has been updated."""
    direction, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return write(g_main, direction), average


@wrong_step(where=UNTOUCHED, mend="Write the direction to new arrays, not over g_aux.")
def direction_is_written_over_the_auxiliary_gradient(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """g_aux becomes the direction."""
    direction, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return write(g_aux, direction), average


@wrong_step(where=UNTOUCHED, mend="Project a copy of g_aux.")
def auxiliary_gradient_is_projected_in_place(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """g_aux becomes its own projection."""
    direction, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
    zero = [np.zeros_like(x) for x in g_main]
    write(g_aux, right(zero, g_aux, ema, lam=1.0, rho=rho)[0])
    return direction, average


@wrong_step(where=UNTOUCHED, mend="Multiply by lam in a new array.")
def auxiliary_gradient_is_weighed_in_place(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """g_aux becomes lam g_aux."""
    outputs = right(g_main, g_aux, ema, lam=lam, rho=rho)
    write(g_aux, total((lam, g_aux)))
    return outputs


@wrong_step(where=UNTOUCHED, mend="Make the unit vector in new arrays.")
def ema_is_normalised_in_place(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """The EMA given becomes e / ||e||."""
    outputs = right(g_main, g_aux, ema, lam=lam, rho=rho)
    if norm(ema):
        write(ema, total((1 / norm(ema), ema)))
    return outputs


@wrong_step(where=FRESH, mend="Return a copy of g_main where lam is 0.")
def main_gradient_itself_is_returned(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """With lam = 0 the direction is the very g_main that was given."""
    direction, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return direction if lam else g_main, average


@wrong_step(where=FRESH, mend="Return a copy of the EMA where rho is 0.")
def ema_itself_is_returned(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """With rho = 0 the new EMA is the very EMA that was given."""
    direction, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return direction, average if rho else ema


@wrong_step(where=FRESH, mend="Return a copy of g_main as the EMA where rho is 1.")
def main_gradient_itself_becomes_the_ema(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """With rho = 1 the new EMA is the very g_main that was given."""
    direction, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return direction, average if rho != 1 else like_itself(g_main, ema)


def like_itself(gradient: Gradient, model: Gradient) -> Gradient:
    """Return a gradient in the dtypes of another, the very arrays where they have them."""
    pairs = zip(gradient, model, strict=True)
    return [x if x.dtype == m.dtype else x.astype(m.dtype) for x, m in pairs]


@wrong_step(where=FRESH, mend="Give the direction and the new EMA arrays of their own.")
def outputs_share_their_arrays(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> Pair:
    """With lam = 0 and rho = 1, where both are g_main, one array is returned twice."""
    direction, average = right(g_main, g_aux, ema, lam=lam, rho=rho)
    return direction, average if lam or rho != 1 else like_itself(direction, ema)


@wrong_object(where=FRESH, mend="Allocate the outputs in each step, or copy them.", remembers=False)
def outputs_are_overwritten_by_the_next_step() -> Step:
    """The outputs live in buffers that the next step of the same shapes uses again."""
    buffers: dict[object, Pair] = {}

    def step(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float) -> Pair:
        outputs = right(g_main, g_aux, ema, lam=lam, rho=rho)
        key = tuple((x.shape, x.dtype) for x in g_main + ema)
        kept = buffers.setdefault(key, outputs)
        return write(kept[0], outputs[0]), write(kept[1], outputs[1])

    return step
