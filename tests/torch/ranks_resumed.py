"""Runs of two processes that are saved, and others that go on from there."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from bloop_torch import Bloop
from tests.torch.models import batches, make, mine, two_losses
from tests.torch.processes import whole


def train(model: nn.Module, bloop: Bloop, optimizer: Any, inputs: Any) -> None:
    """Take steps as anybody would; DDP's is told not to average."""
    for x in inputs:
        with model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext():
            bloop.backward(*model(x))
        optimizer.step()


def replicated(**options: Any) -> Any:
    model = DistributedDataParallel(two_losses())
    return model, make(model, average_over=dist.group.WORLD, **options)


def sharded(**options: Any) -> Any:
    model = two_losses()
    for child in model.children():
        fully_shard(child)
    fully_shard(model)
    return model, make(model, **options)


def resumed(rank: int, folder: Path) -> dict[str, bool]:
    """Return whether runs that are resumed through a distributed checkpoint go on bit for bit."""
    inputs = [mine(x, rank) for x in batches(5)]
    same = {}
    for kind in (replicated, sharded):
        for steps in (0, 3):
            made = [kind(init="first", project_on="updated") for _ in range(2)]
            runs = [(m, b, torch.optim.SGD(m.parameters(), lr=0.1)) for m, b in made]
            (model, bloop), (again, other) = made
            path = folder / f"{kind.__name__}-{steps}"
            train(*runs[0], inputs[:steps])
            save({"model": model.state_dict(), "bloop": bloop}, checkpoint_id=path)
            state = {"model": again.state_dict(), "bloop": other}
            load(state, checkpoint_id=path)
            again.load_state_dict(state["model"])
            for run in runs:
                train(*run, inputs[steps:])
            pairs = [*zip(model.parameters(), again.parameters(), strict=True)]
            pairs += [(e, other.ema[name]) for name, e in bloop.ema.items()]
            same[path.name] = (
                all(torch.equal(whole(x), whole(y)) for x, y in pairs)
                and bloop.ema.keys() == other.ema.keys()
                and bloop.count == other.count == 5
            )
    return same


def trained(rank: int, folder: Path) -> dict[str, Any]:
    """Save what a sharded run has after three steps; return its averages.

    And what it says of a state in which a part, the second process's, has a NaN.
    """
    model, bloop = sharded()
    train(model, bloop, torch.optim.SGD(model.parameters(), lr=0.1), list(batches(3)))
    save({"bloop": bloop}, checkpoint_id=folder / "reshard")
    seen: dict[str, Any] = {"ema": {name: whole(e) for name, e in bloop.ema.items()}}
    state = bloop.state_dict()
    if rank:
        state["memory"][0]["trunk.bias"].to_local()[0] = torch.nan
    try:
        bloop.load_state_dict(state)
    except ValueError as error:
        seen["part with NaN"] = str(error)
    return seen
