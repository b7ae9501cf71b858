"""The mean of gradients over processes, where nothing else has taken it."""

from collections.abc import Mapping

import torch
import torch.distributed as dist
from torch import Tensor

from bloop_torch._gradients import Gathered


def mean(
    gradient: Gathered, parameters: Mapping[str, Tensor], group: dist.ProcessGroup
) -> Gathered:
    """Return the mean of the processes' gradients, in the memory of this process's own.

    A leaf that only some processes have is zero in the others; one that none has stays ``None``.
    """
    device = next(iter(parameters.values())).device
    here = [gradient[name] is not None for name in parameters]
    anywhere = torch.tensor(here, dtype=torch.int32, device=device)
    dist.all_reduce(anywhere, dist.ReduceOp.MAX, group=group)
    result: Gathered = dict(gradient)
    work = []
    for name, used in zip(parameters, anywhere.tolist(), strict=True):
        if used:
            leaf = gradient[name]
            leaf = torch.zeros_like(parameters[name]) if leaf is None else leaf
            result[name] = leaf.div_(group.size())
            work.append(dist.all_reduce(leaf, group=group, async_op=True))
    for pending in work:
        pending.wait()
    return result
