"""IRE under DDP: all processes have one mask, that of the whole batch, and stay together."""

from pathlib import Path
from typing import Any

import pytest
import torch
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


def main(rank: int, size: int, folder: Path) -> dict[str, Any]:
    """Train as one process of several; return what came out, by whether gradients are views."""
    part, found = slice(4 * rank, 4 * rank + 4), {}
    for view in (False, True):
        model = two_losses()
        ddp = DistributedDataParallel(model, gradient_as_bucket_view=view)
        found[str(view)] = train(model, ddp, part)
    return found


@pytest.mark.slow
def test_all_processes_have_the_mask_of_the_whole_batch(processes: Any, tmp_path: Path) -> None:
    together = processes("tests.torch.test_ire_distributed", SIZE, tmp_path)
    model = two_losses()
    alone = train(model, model, slice(None))
    for view in (False, True):
        first, second = (result[str(view)] for result in together)
        for name in alone:
            pairs = zip(first[name], second[name], strict=True)
            assert all(torch.equal(x, y) for x, y in pairs)
        assert all(torch.equal(x, y) for x, y in zip(first["masks"], alone["masks"], strict=True))
