"""The laws of every method whose step takes a list of gradients."""

from functools import partial

from bloop_proofs.law import Law
from bloop_proofs.laws import protocol, wide
from bloop_proofs.signature import Signature
from bloop_proofs.strategies import inputs


def of_lists(method: Signature) -> tuple[Law, ...]:
    """Return what holds for every method whose step takes a list of gradients."""
    of = partial(inputs, method)
    return (
        protocol.form(
            of(shapes=(*protocol.BROADCASTABLE, *protocol.SPARSE), dtypes=("float32", "float64"))
        ),
        wide.own_dtypes(of, method),
        wide.half_precision(of, method),
        wide.large(partial(of, earlier=(0,)), method),
        wide.any_layout(of),
        protocol.bad_values_show(method),
        protocol.inputs_are_kept(inputs(method)),
        protocol.outputs_are_the_callers(method),
        protocol.repetition(inputs(method)),
        *((protocol.own_state(method),) if method.stateful else ()),
    )
