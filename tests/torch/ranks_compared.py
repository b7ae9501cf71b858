"""What a step is refused with in each of two processes, by what is wrong, or not wrong, with it."""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from bloop_torch import Bloop
from tests.torch.models import batches, make, mine, two_losses


class Refused:
    """The messages of steps; empty for one that is taken."""

    def __init__(self) -> None:
        self.messages: dict[str, str] = {}

    def step(self, what: str, model: nn.Module, bloop: Bloop, x: Tensor) -> None:
        """Take a step; where it is refused, nothing may have changed."""
        before = everything(bloop)
        self.messages[what] = ""
        try:
            bloop.backward(*model(x))
        except RuntimeError as error:
            self.messages[what] = str(error)
            assert all(map(torch.equal, before, everything(bloop)))
            return
        torch.optim.SGD(model.parameters(), lr=0.1).step()


def everything(bloop: Bloop) -> list[Tensor]:
    tensors = [*bloop.parameters.values(), *bloop.ema.values(), torch.tensor(bloop.count)]
    return [x.detach().clone() for x in tensors]


def messages(rank: int) -> dict[str, str]:
    """Return what each step is refused with."""
    refused = Refused()
    whole, *more = batches(4)
    unaveraged(refused, mine(whole, rank))
    unlike(refused, rank, mine(whole, rank))
    agreeing(refused, rank, whole)
    later(refused, rank, whole, more)
    return refused.messages


def unaveraged(refused: Refused, x: Tensor) -> None:
    ddp = DistributedDataParallel(two_losses(), find_unused_parameters=True)
    refused.step("DDP averages one of two", ddp, make(ddp), x)
    model = two_losses()
    bloop = make(model)
    for what in ("nothing averages", "nothing averages, again"):
        refused.step(what, model, bloop, x)
    refused.step("not averaged, as is wanted", model, make(model, compare_ranks="never"), x)


def unlike(refused: Refused, rank: int, x: Tensor) -> None:
    """Train models that are none of each other's replicas."""
    model = two_losses()
    with torch.no_grad():
        model.trunk.weight[0, 0] += rank
    refused.step("other values", model, make(model), x)
    model = two_losses()
    model.aux_head = nn.Linear(4, 2 + rank)
    refused.step("other shapes", filled(model), make(model), x)
    model = filled(two_losses())
    fully_shard(model)
    refused.step("parts that happen to be the same", model, make(model), x)
    group = dist.new_group([0])
    if not rank:
        model = two_losses()
        refused.step("a group of one", model, make(model, average_over=group), x)


def filled(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.5)
    return model


def agreeing(refused: Refused, rank: int, whole: Tensor) -> None:
    """Give all processes the same gradients, and some of them another method."""
    model = two_losses()
    refused.step("the same batch", model, make(model), whole)
    model = two_losses()
    refused.step("other options", model, make(model, lam=0.5 + rank), whole)


def later(refused: Refused, rank: int, whole: Tensor, more: list[Tensor]) -> None:
    """Go wrong after a right step."""
    model = two_losses()
    bloop = make(model, compare_ranks=2)
    refused.step("right at first", model, bloop, whole)
    refused.step("wrong, not compared", model, bloop, mine(more[0], rank))
    refused.step("wrong, compared", model, bloop, mine(more[1], rank))
    model = two_losses()
    bloop = make(model)
    refused.step("before a checkpoint", model, bloop, whole)
    state = bloop.state_dict()
    state["memory"][0]["trunk.bias"] += rank
    bloop.load_state_dict(state)
    refused.step("other checkpoints", model, bloop, whole)
