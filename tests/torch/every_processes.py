"""One process of two, for ``tests.forked``.

Trains with ``every=2`` under DDP, and with gradients that the library averages itself, and returns
the directions, and what each step reduced.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from bloop_torch import Bloop
from tests.torch.models import batches, two_losses
from tests.torch.processes import counted

LAM, RHO, STEPS, SIZE = 0.5, 0.25, 4, 2
Found = dict[str, list[Any]]


def under_ddp(model: Any, bloop: Bloop, x: Tensor) -> None:
    """Two passes through DDP, or one, of the weighted sum."""
    if not bloop.method.full(bloop.count):
        bloop.backward(*model(x))
        return
    with bloop.main_gradient():
        model(x)[0].backward()
    with bloop.aux_gradient():
        model(x)[1].backward()
    bloop.combine()


def averaged_by_the_library(model: Any, bloop: Bloop, x: Tensor) -> None:
    bloop.backward(*model(x))


def train(
    model: Any, step: Callable[..., None], reduces: list[int], part: slice, **of: Any
) -> Found:
    parameters = list(model.parameters())
    bloop = Bloop(parameters, lam=LAM, rho=RHO, every=2, **of)
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    found: Found = {"directions": [], "entries": [], "calls": []}
    for x in batches(STEPS):
        reduces.clear()
        step(model, bloop, x[part])
        found["directions"].append([p.grad.clone() for p in parameters if p.grad is not None])
        found["entries"].append(sum(reduces))
        found["calls"].append(len(reduces))
        optimizer.step()
    return found


def ddp(part: slice) -> Found:
    """Each loss leaves the other's head without a gradient."""
    reduces: list[int] = []

    def hook(state: Any, bucket: Any) -> Any:
        reduces.append(bucket.buffer().numel())
        mean = bucket.buffer().div_(SIZE)
        work: Any = dist.all_reduce(mean, async_op=True)
        return work.get_future().then(lambda done: done.value()[0])

    hook.__annotations__.clear()  # DDP wants its own or none

    model = DistributedDataParallel(two_losses(), find_unused_parameters=True)
    model.register_comm_hook(None, hook)
    return train(model, under_ddp, reduces, part)


def own(part: slice) -> Found:
    reduces: list[int] = []
    with counted(reduces):
        group = dist.group.WORLD
        return train(two_losses(), averaged_by_the_library, reduces, part, average_over=group)


def main(rank: int, size: int, folder: Path) -> dict[str, Found]:
    part = slice(rank * 8 // size, (rank + 1) * 8 // size)
    return {"ddp": ddp(part), "own": own(part)}
