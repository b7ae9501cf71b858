"""One process of two, for ``tests.forked``.

It takes its part of the gradients in the folder through real loops of torch, and returns what .grad
holds in every step, whole.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from bloop_proofs import linear_loss
from bloop_torch import Bloop
from tests.proofs.subjects import example

LAM, RHO = 0.5, 0.25
Gradient = list[Tensor]


class Linear(nn.Module):
    """A model whose loss on a batch, which is a gradient, has that gradient."""

    def __init__(self, like: Gradient) -> None:
        super().__init__()
        self.weights = nn.ParameterList(torch.ones_like(g) for g in like)

    def forward(self, gradient: Gradient) -> Any:
        return linear_loss(gradient, list(self.parameters()))


def whole(gradient: Any) -> Tensor:
    return gradient.full_tensor() if isinstance(gradient, DTensor) else gradient.clone()


def trained(model: Any, wrapped: Any, parts: list[Any]) -> Iterator[Gradient]:
    """Yield the directions of ``bloop_torch.Bloop``, both gradients accumulated in phases."""
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for micro_batches in parts:
        for phase, i in ((bloop.main_gradient, 0), (bloop.aux_gradient, 1)):
            for pair in micro_batches:
                with phase():
                    (wrapped(pair[i]) / len(micro_batches)).backward()
        bloop.combine()
        yield [whole(p.grad) for p in model.parameters()]
        optimizer.step()
        optimizer.zero_grad()


def past_the_hooks(model: Any, wrapped: Any, parts: list[Any]) -> Iterator[Gradient]:
    """Yield what comes of torch.autograd.grad, under which DDP averages nothing."""
    params = list(model.parameters())
    ema = [torch.zeros_like(p) for p in params]
    for micro_batches in parts:
        model.zero_grad()
        main, aux = (sum(wrapped(pair[i]) for pair in micro_batches) for i in (0, 1))
        second = torch.autograd.grad(aux / len(micro_batches), params)
        (main / len(micro_batches)).backward()
        first = [p.grad for p in params]
        direction, ema = example("torch")(first, second, ema, lam=LAM, rho=RHO)
        yield [whole(d.detach()) for d in direction]


def loops(parts: list[Any]) -> Iterator[tuple[str, list[Gradient]]]:
    like = parts[0][0][0]
    makers: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
        "ddp": (DistributedDataParallel, trained),
        "fsdp": (fully_shard, trained),
        "ddp, past the hooks": (DistributedDataParallel, past_the_hooks),
    }
    for name, (wrap, train) in makers.items():
        model = Linear(like)
        yield name, list(train(model, wrap(model), parts))


def main(rank: int, size: int, folder: Path) -> dict[str, list[Gradient]]:
    batches = torch.load(folder / "batches.pt", weights_only=True)
    return dict(loops([step[rank] for step in batches]))
