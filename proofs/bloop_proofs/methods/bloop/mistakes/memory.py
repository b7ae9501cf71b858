"""Mistakes with memory: inputs that are written to, outputs that are shared."""

from functools import partial

from bloop_proofs.cases import Gradient
from bloop_proofs.methods.bloop.definition import SIGNATURE
from bloop_proofs.methods.bloop.mistakes.pieces import Now, Pair, Whole, norm, share, total
from bloop_proofs.methods.bloop.mistakes.wrong import base, wrong_object, wrong_step
from bloop_proofs.mistakes.common import around, given_back, written_over
from bloop_proofs.mistakes.mistake import Mistake

UNTOUCHED = "protocol: a step leaves its inputs as they were"
FRESH = "protocol: outputs are new arrays"


def write(target: Gradient, values: Gradient) -> Gradient:
    """Write values into a gradient's own memory, and return it."""
    for leaf, value in zip(target, values, strict=True):
        leaf[...] = value
    return target


@wrong_step(where=UNTOUCHED, mend="Write the new EMA to new arrays instead of updating in place.")
def ema_is_updated_in_place(s: Now) -> Pair:
    """The new EMA is written over the old one, and returned."""
    direction, average = s.step()
    return direction, write(s.e, average)


@wrong_step(where=UNTOUCHED, mend="Copy the new EMA: write to neither the input nor share with it.")
def ema_is_updated_in_place_and_copied(s: Now) -> Pair:
    """The new EMA is written over the old one, and a copy is returned."""
    direction, average = s.step()
    write(s.e, average)
    return direction, average


written_over_the_main_gradient = Mistake(
    SIGNATURE,
    "direction-is-written-over-the-main-gradient",
    "numerics",
    "g_main becomes the direction, after the EMA has been updated.",
    UNTOUCHED,
    "Write the direction to new arrays, not over g_main.",
    base,
    around=partial(around, SIGNATURE, after=written_over),
)


@wrong_step(where=UNTOUCHED, mend="Write the direction to new arrays, not over g_aux.")
def direction_is_written_over_the_auxiliary_gradient(s: Now) -> Pair:
    """g_aux becomes the direction."""
    direction, average = s.step()
    return write(s.a, direction), average


@wrong_step(where=UNTOUCHED, mend="Project a copy of g_aux.")
def auxiliary_gradient_is_projected_in_place(s: Now) -> Pair:
    """g_aux becomes its own projection."""
    direction, average = s.step()
    write(s.a, total((1, s.a), (-share(s.a, s.e), s.e)))
    return direction, average


@wrong_step(where=UNTOUCHED, mend="Multiply by lam in a new array.")
def auxiliary_gradient_is_weighed_in_place(s: Now) -> Pair:
    """g_aux becomes lam g_aux."""
    outputs = s.step()
    write(s.a, total((s.lam, s.a)))
    return outputs


@wrong_step(where=UNTOUCHED, mend="Make the unit vector in new arrays.")
def ema_is_normalised_in_place(s: Now) -> Pair:
    """The EMA given becomes e / ||e||."""
    outputs = s.step()
    if norm(s.e):
        write(s.e, total((1 / norm(s.e), s.e)))
    return outputs


main_gradient_itself_is_returned = Mistake(
    SIGNATURE,
    "main-gradient-itself-is-returned",
    "numerics",
    "With lam = 0 the direction is the very g_main that was given.",
    FRESH,
    "Return a copy of g_main where lam is 0.",
    base,
    around=partial(around, SIGNATURE, after=given_back),
)


@wrong_step(where=FRESH, mend="Return a copy of the EMA where rho is 0.")
def ema_itself_is_returned(s: Now) -> Pair:
    """With rho = 0 the new EMA is the very EMA that was given."""
    direction, average = s.step()
    return direction, average if s.rho else s.e


@wrong_step(where=FRESH, mend="Return a copy of g_main as the EMA where rho is 1.")
def main_gradient_itself_becomes_the_ema(s: Now) -> Pair:
    """With rho = 1 the new EMA is the very g_main that was given."""
    direction, average = s.step()
    return direction, average if s.rho != 1 else like_itself(s.g, s.e)


def like_itself(gradient: Gradient, model: Gradient) -> Gradient:
    """Return a gradient in the dtypes of another, the very arrays where they have them."""
    pairs = zip(gradient, model, strict=True)
    return [x if x.dtype == m.dtype else x.astype(m.dtype) for x, m in pairs]


@wrong_step(where=FRESH, mend="Give the direction and the new EMA arrays of their own.")
def outputs_share_their_arrays(s: Now) -> Pair:
    """With lam = 0 and rho = 1, where both are g_main, one array is returned twice."""
    direction, average = s.step()
    return direction, average if s.lam or s.rho != 1 else like_itself(direction, s.e)


@wrong_object(where=FRESH, mend="Allocate the outputs in each step, or copy them.", remembers=False)
def outputs_are_overwritten_by_the_next_step() -> Whole:
    """The outputs live in buffers that the next step of the same shapes uses again."""
    buffers: dict[object, Pair] = {}

    def step(s: Now) -> Pair:
        outputs = s.step()
        key = tuple((x.shape, x.dtype) for x in s.g + s.e)
        kept = buffers.setdefault(key, outputs)
        return write(kept[0], outputs[0]), write(kept[1], outputs[1])

    return step
