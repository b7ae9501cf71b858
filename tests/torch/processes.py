"""One process of several, for ``tests.forked``.

Each trains the model under every kind of parallelism that its number of processes allows, and
returns what came out, whole.
"""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

from bloop_ref import HierarchicalBloop
from bloop_ref.surgery import Method, PCGrad, PerLeaf, SamGS
from bloop_torch import Bloop, Surgery
from tests.torch.models import TwoLosses, batches, two_losses

LAM, RHO, STEPS = 0.5, 0.25, 3
HIERARCHY = HierarchicalBloop([LAM], RHO)
Result = dict[str, list[Tensor]]


def whole(tensor: Any) -> Any:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def result(owner: Bloop | Surgery) -> Result:
    """Return direction and average, gathered from all processes."""
    direction = [whole(p.grad).clone() for p in owner.parameters.values()]
    if not isinstance(owner, Bloop):
        return {"direction": direction}
    return {
        "direction": direction,
        "ema": [whole(owner.ema[n]).clone() for n in owner.parameters if n in owner.ema],
    }


@contextmanager
def counted(reduces: list[int]) -> Any:
    """Count the all-reduces of the library's own."""
    original = dist.all_reduce

    def all_reduce(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        reduces.append(tensor.numel())
        return original(tensor, *args, **kwargs)

    dist.all_reduce = all_reduce
    try:
        yield
    finally:
        dist.all_reduce = original


def train(
    model: nn.Module,
    bloop: Any,
    part: slice,
    step: Callable[[nn.Module, Any, Tensor], None],
    groups: int | None = None,
) -> Result:
    """Take steps on this process's part of every batch; each reduces a few scalars per group."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x in batches(STEPS):
        reduces: list[int] = []
        with counted(reduces):
            step(model, bloop, x[part])
        if groups is not None:
            assert len(reduces) == groups, reduces
            # two or three inner products and a flag for each gradient, of at most two kinds
            most = 8 if isinstance(bloop, Bloop) else 10
            assert all(scalars <= most for scalars in reduces), reduces
        optimizer.step()
    return result(bloop)


def shared(model: nn.Module, bloop: Bloop | Surgery, x: Tensor) -> None:
    bloop.backward(*model(x))


def separate(model: nn.Module, bloop: Bloop, x: Tensor) -> None:
    with bloop.main_gradient():
        model(x)[0].backward()
    with bloop.aux_gradient():
        model(x)[1].backward()
    bloop.combine()


def separate_surgery(model: nn.Module, surgery: Surgery, x: Tensor) -> None:
    for k in range(2):
        with surgery.gradient(k):
            model(x)[k].backward()
    surgery.combine()


def shared_without_sync(model: Any, bloop: Bloop | Surgery, x: Tensor) -> None:
    with model.no_sync():
        bloop.backward(*model(x))


def tensor_parallel(model: TwoLosses, mesh: DeviceMesh) -> nn.Module:
    plan = {
        "trunk": ColwiseParallel(),
        "main_head": RowwiseParallel(),
        "aux_head": RowwiseParallel(),
    }
    return parallelize_module(model, mesh, plan)


def make(model: nn.Module, **options: Any) -> Bloop:
    return Bloop(model.named_parameters(), lam=LAM, rho=RHO, **options)


def surgery(model: nn.Module, method: Method | None = None, **options: Any) -> Surgery:
    return Surgery(model.named_parameters(), method or PCGrad(), **options)


def ddp(rank: int, size: int, part: slice) -> dict[str, Result]:
    results = {}
    for view in (False, True):
        # each loss leaves the other's head without a gradient
        model = DistributedDataParallel(
            two_losses(), find_unused_parameters=True, gradient_as_bucket_view=view
        )
        results[f"ddp, separate, view={view}"] = train(model, make(model), part, separate, groups=0)
    model = DistributedDataParallel(two_losses())
    bloop = make(model, average_over=dist.group.WORLD)
    results["ddp, shared"] = train(model, bloop, part, shared_without_sync)
    model = DistributedDataParallel(two_losses(), find_unused_parameters=True)
    results["surgery, ddp"] = train(model, surgery(model), part, separate_surgery, groups=0)
    model = DistributedDataParallel(two_losses())
    averaging = surgery(model, average_over=dist.group.WORLD)
    results["surgery, ddp, shared"] = train(model, averaging, part, shared_without_sync)
    return results


def fsdp(rank: int, size: int, part: slice) -> dict[str, Result]:
    def sharded() -> nn.Module:
        model = two_losses()
        for child in model.children():
            fully_shard(child)
        return fully_shard(model)

    results = {}
    for step in (shared, separate):
        model = sharded()
        results[f"fsdp, {step.__name__}"] = train(model, make(model), part, step, groups=1)
    model = sharded()
    results["surgery, fsdp"] = train(model, surgery(model), part, shared, groups=1)
    for method in (SamGS(), HIERARCHY, PerLeaf(PCGrad())):
        model = sharded()
        name = f"{type(method).__name__}, fsdp"
        results[name] = train(model, surgery(model, method), part, shared)
    return results


def tensors(rank: int, size: int, part: slice) -> dict[str, Result]:
    model = tensor_parallel(two_losses(), init_device_mesh("cpu", (size,)))
    other = tensor_parallel(two_losses(), init_device_mesh("cpu", (size,)))
    return {
        "tensor parallel": train(model, make(model), slice(None), shared, groups=1),
        "surgery, tensor parallel": train(other, surgery(other), slice(None), shared, groups=1),
    }


def both(rank: int, size: int, part: slice) -> dict[str, Result]:
    mesh = init_device_mesh("cpu", (size // 2, 2), mesh_dim_names=("data", "model"))
    model = tensor_parallel(two_losses(), mesh["model"])
    fully_shard(model, mesh=mesh["data"])
    half = slice(4 * (rank // 2), 4 * (rank // 2) + 4)
    return {"fsdp and tensor parallel": train(model, make(model), half, shared, groups=2)}


def main(rank: int, size: int, folder: Path) -> dict[str, Result]:
    part = slice(rank * 8 // size, (rank + 1) * 8 // size)
    kinds = (ddp, fsdp, tensors) if size == 2 else (ddp, fsdp, both)
    results: dict[str, Result] = {}
    for kind in kinds:
        results |= kind(rank, size, part)
    return results
