"""One process of two, for ``tests.forked``: returns what it saw."""

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from bloop_torch import _buckets
from bloop_torch._average import Averaging
from bloop_torch._shards import local
from tests.torch.models import batches, make, mine, two_losses
from tests.torch.processes import tensor_parallel, whole
from tests.torch.ranks_compared import messages
from tests.torch.ranks_resumed import resumed, trained

SIZE = 2
USED: list[tuple[set[str], set[str]]] = [
    ({"a", "b", "wide", "half"}, {"a", "image", "wide"}),
    ({"a", "b", "image"}, {"a", "b", "image"}),
    ({"a", "late"}, {"a"}),
    (set(), {"b"}),
    (set(), set()),
]
"""Of which parameters each process has a gradient, step by step."""


def several_kinds() -> dict[str, Tensor]:
    """Return parameters of several dtypes and orders of memory, one of which is never used."""
    return {
        "a": torch.ones(5, 3),
        "b": torch.ones(()),
        "wide": torch.ones(7, dtype=torch.float64),
        "half": torch.ones(3, dtype=torch.bfloat16),
        "image": torch.ones(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "late": torch.ones(300),
        "never": torch.ones(2),
    }


def gradient_of(name: str, rank: int, step: int) -> Tensor:
    """Return a gradient of small integers, whose mean over two processes is exact."""
    like = several_kinds()[name]
    seed = 10 * step + rank
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-8, 8, like.shape, generator=generator).to(like.dtype)


def average(rank: int) -> list[dict[str, Tensor | None]]:
    """Return the means of gradients that not all processes have, over small buckets."""
    parameters = several_kinds()
    averaging = Averaging(parameters, dist.group.WORLD, 1)
    means: list[dict[str, Tensor | None]] = []
    before = _buckets.MOST_BYTES
    _buckets.MOST_BYTES = 256
    for step, used in enumerate(USED):
        here = used[rank]
        gradient = {n: gradient_of(n, rank, step) if n in here else None for n in parameters}
        large = gradient["late"]
        if step % 2:  # begun before, and dropped as after an exception
            averaging.start(0, {n: None if x is None else x + 1 for n, x in gradient.items()})
        if step % 3:
            averaging.start(0, gradient)
        means += averaging.finish([gradient])
        assert all(x is None for x in gradient.values()), "each is let go of when it is sent"
        mean = means[-1]["late"]
        if mean is not None and large is not None:
            assert mean.data_ptr() == large.data_ptr(), "one that fills a bucket is not copied"
    _buckets.MOST_BYTES = before
    return means


def directions(rank: int) -> dict[str, list[Tensor]]:
    """Return those after two steps, by how the parameters are kept."""
    mesh = init_device_mesh("cpu", (SIZE, 1), mesh_dim_names=("data", "model"))
    found = {}
    for kind, model in {
        "plain": two_losses(),
        "tensor parallel": tensor_parallel(two_losses(), mesh["model"]),
    }.items():
        bloop = make(model, average_over=mesh.get_group("data"))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x in batches(2):
            bloop.backward(*model(mine(x, rank)))
            optimizer.step()
        found[kind] = [whole(p.grad).clone() for p in model.parameters()]
    return found


def partial(rank: int) -> Tensor | None:
    """Return what becomes of a gradient that is a partial sum, here of 1 and 2."""
    mesh, groups = init_device_mesh("cpu", (SIZE,)), [dist.new_group([k]) for k in range(SIZE)]
    parameter = distribute_tensor(torch.ones(3), mesh, [Replicate()])
    gradient = DTensor.from_local(torch.full((3,), rank + 1.0), mesh, [Partial()])
    averaging = Averaging({"weight": parameter}, groups[rank], 1)
    ((mean,),) = (gathered.values() for gathered in averaging.finish([{"weight": gradient}]))
    return local(mean)


def shards() -> str:
    """Return what is said of an average over the parts of parameters."""
    model = two_losses()
    fully_shard(model)
    try:
        make(model, average_over=dist.group.WORLD)
    except ValueError as error:
        return str(error)
    return ""


def order(rank: int) -> list[str]:
    """Return what one step after the first does, in order: backward passes and all-reduces."""
    model = DistributedDataParallel(two_losses())
    bloop = make(model, average_over=dist.group.WORLD)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    events: list[str] = []
    original = dist.all_reduce

    def all_reduce(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        events.append(f"{tensor.numel()} {tensor.dtype}")
        return original(tensor, *args, **kwargs)

    dist.all_reduce = all_reduce
    for x in batches(2):
        events.clear()
        with model.no_sync():
            main, aux = model(mine(x, rank))
            for name, loss in (("main", main), ("aux", aux)):
                loss.register_hook(lambda _, name=name: events.append(name))
            bloop.backward(main, aux)
        optimizer.step()
    dist.all_reduce = original
    return events


def main(rank: int, size: int, folder: Path) -> dict[str, Any]:
    return {
        "average": average(rank),
        "order": order(rank),
        "directions": directions(rank),
        "partial": partial(rank),
        "shards": shards(),
        "compared": messages(rank),
        "resumed": resumed(rank, folder),
        **trained(rank, folder),
    }
