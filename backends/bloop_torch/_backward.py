"""Several backward passes after one forward pass, and what to do where PyTorch refuses."""

import torch
from torch import Tensor

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


def run(loss: Tensor, *, retain_graph: bool) -> None:
    """Run the backward pass of a loss, and let others follow it.

    Raises ``RuntimeError`` where the graph cannot be used so, with what can be done instead.
    """
    try:
        torch.autograd.backward(loss, retain_graph=retain_graph)
    except RuntimeError as error:
        for words, mend in MENDS.items():
            if words in str(error):
                raise RuntimeError(mend) from error
        raise
