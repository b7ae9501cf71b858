"""What a step may touch and must preserve: inputs, memory, shapes, dtypes; it has no memory."""

from bloop_proofs.laws import protocol, wide
from bloop_proofs.laws.protocol import BROADCASTABLE, SPARSE
from bloop_proofs.methods.bloop.definition import inputs

inputs_are_not_written = protocol.inputs_are_kept(
    inputs(zero_ema=True),
    name="inputs-are-not-written",
    statement="A step leaves g_main, g_aux and ema as they were, bit for bit.",
)
outputs_are_new_arrays = protocol.outputs_are_new(
    inputs(zero_ema=True, lams=(1.0, 0.0), rhos=(0.5, 0.0, 1.0)),
    statement="Writing to an output changes no input and no other output; immutable arrays may be "
    "shared.",
)
leaves_are_never_broadcast = protocol.form(
    inputs(shapes=BROADCASTABLE),
    name="leaves-are-never-broadcast",
    statement="Leaves whose shapes would broadcast against one another, (2,) and (2, 1), keep "
    "their own.",
)
empty_and_zero_dimensional_leaves_are_leaves = protocol.form(
    inputs(shapes=SPARSE),
    name="empty-and-zero-dimensional-leaves-are-leaves",
    statement="A leaf with no entry adds nothing to an inner product, one of shape () adds its one "
    "entry.",
)
layout_in_memory_does_not_matter = wide.any_layout(inputs)
the_same_inputs_give_the_same_bits = protocol.repetition(
    inputs(zero_ema=True),
    name="the-same-inputs-give-the-same-bits",
    statement="A step is a function: repeated, also after another step, it returns the same bits, "
    "those of the very first call, hundreds of times.",
)
a_later_step_leaves_earlier_outputs_alone = protocol.outputs_are_left_alone(inputs())
