"""A loop with every feature, in one process, under DDP or FSDP2."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

import bloop_ref
from bloop_ref.surgery import Method
from bloop_torch import Surgery
from tests.torch.loops import RHO, schedule
from tests.torch.models import two_losses

SIZE, MOST_NORM = 2, 0.4
Forward = Callable[[Any, Tensor], Sequence[Any]]


class Loop:
    """A loop with every feature, in one process or several.

    Args:
        kind: ``"alone"``, ``"ddp"`` or ``"fsdp"``.
        method: by default Bloop with a schedule.
        losses: how many the forward pass returns.
        prepare: what is done to the model before it is distributed.
        wrap: what is done to it afterwards.
    """

    def __init__(
        self,
        kind: str,
        method: Method | None = None,
        losses: int = 2,
        prepare: Callable[[Any], Any] = lambda model: model,
        wrap: Callable[[Any], Any] = lambda model: model,
    ) -> None:
        self.kind, self.net = kind, prepare(two_losses())
        if kind == "fsdp":
            for child in self.net.children():
                fully_shard(child)
            fully_shard(self.net)
        self.ddp = DistributedDataParallel(self.net) if kind == "ddp" else None
        self.model = wrap(self.ddp or self.net)
        self.surgery = Surgery(
            self.net.named_parameters(),
            method or bloop_ref.Bloop(schedule, RHO),
            losses=losses,
            average_over=dist.group.WORLD if kind == "ddp" else None,
        )
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=0.1)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 1, gamma=0.5)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
        self.directions: list[Any] = []

    def parts(self, x: Tensor) -> list[Tensor]:
        """Return the parts of a batch that this process takes."""
        parts = list(x.chunk(SIZE))
        return parts if self.kind == "alone" else [parts[dist.get_rank()]]

    def step(
        self, xs: Sequence[Tensor], forward: Forward, *, scaled: bool = False, amp: bool = False
    ) -> Any:
        share = 1 / (len(xs) * (SIZE if self.kind == "alone" else 1))
        scaler = self.scaler if scaled else None
        with nullcontext() if self.ddp is None else self.ddp.no_sync():
            for part in (part for x in xs for part in self.parts(x)):
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=amp):
                    found = forward(self.model, part)
                    losses: Any = [None if loss is None else loss * share for loss in found]
                self.surgery.accumulate(*losses, scaler=scaler)
        seen = self.surgery.combine(scaler=scaler, diagnostics=True)
        if scaler is not None:
            scaler.unscale_(self.optimizer)
        self.directions.append([whole(p.grad) for p in self.net.parameters()])
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), MOST_NORM)
        if scaler is None:
            self.optimizer.step()
        else:
            scaler.step(self.optimizer)
            scaler.update()
        self.scheduler.step()
        return seen


def whole(x: Any) -> Any:
    x = x.full_tensor() if isinstance(x, DTensor) else x
    return None if x is None else x.clone()
