"""IRE under DDP: all processes have one mask, that of the whole batch, and stay together."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from bloop_torch.ire import IRE
from tests.torch.models import batches, two_losses

SIZE, STEPS = 2, 4


def train(model: Any, module: nn.Module, part: slice) -> dict[str, list[torch.Tensor]]:
    """Take steps on a part of every batch; return the masks of each refresh and the parameters."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ire = IRE(optimizer, kappa=2.0, fraction=0.5, interval=2)
    masks = []
    for x in batches(STEPS):
        if ire.due:
            with ire.fisher_gradient():
                sum(module(x[part])).backward()
            masks += [n.clone() for n in ire.mask.values()]
        optimizer.zero_grad()
        sum(module(x[part])).backward()
        optimizer.step()
    return {"masks": masks, "parameters": [p.detach().clone() for p in model.parameters()]}


def run_process(rank: int, folder: Path) -> None:
    """Train as one process of several, and save what came out."""
    method = (folder / "store").as_uri()
    dist.init_process_group("gloo", init_method=method, rank=rank, world_size=SIZE)
    for view in (False, True):
        model = two_losses()
        ddp = DistributedDataParallel(model, gradient_as_bucket_view=view)
        part = slice(4 * rank, 4 * rank + 4)
        torch.save(train(model, ddp, part), folder / f"{rank}-{view}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_all_processes_have_the_mask_of_the_whole_batch(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    paths = [p for p in sys.path if p]
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), *paths])
    code = (
        "import sys, pathlib; from tests.torch.test_ire_distributed import run_process;"
        "run_process(int(sys.argv[1]), pathlib.Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code]
    started = [
        subprocess.Popen([*command, str(rank), str(tmp_path)], env=environment)
        for rank in range(SIZE)
    ]
    assert [process.wait() for process in started] == [0] * SIZE
    model = two_losses()
    alone = train(model, model, slice(None))
    for view in (False, True):
        first, second = (torch.load(tmp_path / f"{rank}-{view}.pt") for rank in range(SIZE))
        for name in alone:
            pairs = zip(first[name], second[name], strict=True)
            assert all(torch.equal(x, y) for x, y in pairs)
        assert all(torch.equal(x, y) for x, y in zip(first["masks"], alone["masks"], strict=True))
