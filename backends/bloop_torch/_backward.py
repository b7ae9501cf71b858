"""Several backward passes after one forward pass, and what to do where PyTorch refuses."""

from collections.abc import Mapping

import torch
from torch import Tensor

from bloop_torch._shards import is_sharded, local

PHASES = (
    "a forward pass for each loss: with surgery.gradient(k): loss_k(model, x).backward() for every "
    "k, then surgery.combine()"
)
MENDS = {
    # torch >= 2.8 compiles a backward pass when it first runs, and then knows whether it is
    # retained; unless a program on disk, or an earlier plain backward pass, was made for one use
    "donated buffers": (
        "the losses share a forward pass of a compiled model, whose backward pass was compiled to "
        "run once: for an earlier one that did not retain its graph, in this program or, by way of "
        "the cache on disk, in another. Either set torch._functorch.config.donated_buffer = False "
        "before anything is compiled (later it gives wrong gradients, without a word), or take "
        f"{PHASES}"
    ),
    "backward through the graph a second time": (
        "the graph of the losses is gone: a backward pass before this one has freed it. Losses out "
        "of one forward pass need shared_graph=True, and no backward pass of their own; otherwise "
        f"take {PHASES}"
    ),
    "mark a variable ready only once": (
        "DDP takes one backward pass after a forward pass, and would average that alone. Make the "
        "object with average_over=group, and run both: with ddp.no_sync(): forward and backward; "
        f"otherwise take {PHASES}, which DDP averages"
    ),
    "CUDAGraphs": (
        "the losses share a forward pass of a compiled model that runs as CUDA graphs, whose "
        "memory the next run uses again. Either compile without mode='reduce-overhead' and "
        f"'max-autotune', or take {PHASES}"
    ),
}
"""What to do, by words in the error."""


KEPT_BACK = (
    "no parameter has got a gradient from the backward pass of a loss, and parameters are sharded: "
    "FSDP keeps gradients back where it is told not to reduce them, and adds up those of all "
    "losses. Let it reduce each: no set_requires_gradient_sync(False), and no "
    "accelerator.accumulate(model) or no_sync(model), between micro-batches"
)


def run(loss: Tensor, parameters: Mapping[str, Tensor], *, retain_graph: bool) -> None:
    """Run the backward pass of a loss, and let others follow it.

    Raises ``RuntimeError`` where the graph cannot be used so, with what can be done instead, and
    where FSDP keeps the gradient back.
    """
    leaves = parameters.values() if any(map(is_sharded, parameters.values())) else ()
    before = [_mark(x) for x in leaves]
    try:
        torch.autograd.backward(loss, retain_graph=retain_graph)
    except RuntimeError as error:
        for words, mend in MENDS.items():
            if words in str(error):
                raise RuntimeError(mend) from error
        raise
    if before and before == [_mark(x) for x in leaves]:
        raise RuntimeError(KEPT_BACK)


def _mark(parameter: Tensor) -> tuple[int, int] | None:
    """Return what changes when a gradient is added to that of a parameter."""
    part = local(parameter.grad)
    return None if part is None else (id(parameter.grad), part._version)
