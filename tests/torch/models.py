"""A small model with two losses, and the reference's word on every step of it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import optree
import torch
from torch import Tensor, nn

import bloop_torch
from bloop_proofs.laws.measure import require_close
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import average_bound, direction_bound, norm, unit_roundoff
from tests.torch.agreement import arrays, wide

Losses = Callable[[], tuple[Tensor, Tensor]]


class TwoLosses(nn.Module):
    """A trunk with a main and an auxiliary head."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.trunk = nn.Linear(6, 4, dtype=dtype)
        self.main_head = nn.Linear(4, 3, dtype=dtype)
        self.aux_head = nn.Linear(4, 2, dtype=dtype)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.tanh(self.trunk(x))
        return self.main_head(hidden).square().mean(), (self.aux_head(hidden) - 1).square().mean()


def two_losses(dtype: torch.dtype = torch.float32) -> Any:
    """Return the model with the same weights every time."""
    torch.manual_seed(0)
    return TwoLosses(dtype)


def batches(count: int, dtype: torch.dtype = torch.float32) -> Iterator[Any]:
    """Return the same batches every time."""
    generator = torch.Generator().manual_seed(1)
    return (torch.randn(8, 6, generator=generator).to(dtype) for _ in range(count))


def copies(tree: Any) -> Any:
    """Return a tree with new tensors of the same values."""
    return optree.tree_map(lambda x: x.detach().clone() if isinstance(x, Tensor) else x, tree)


def same(tree: Any, other: Any) -> bool:
    """Whether two trees hold the same values, bit for bit."""
    pairs = zip(*map(optree.tree_leaves, (tree, other)), strict=True)
    return all(torch.equal(x, y) if isinstance(x, Tensor) else x == y for x, y in pairs)


def mine(x: Tensor, rank: int) -> Tensor:
    """Return the half of a batch that one of two processes has."""
    return x[4 * rank : 4 * rank + 4]


def make(model: nn.Module, **options: Any) -> bloop_torch.Bloop:
    """Return Bloop of a model, with the numbers that most tests take."""
    numbers: dict[str, Any] = {"lam": 0.5, "rho": 0.25}
    return bloop_torch.Bloop(model.named_parameters(), **numbers | options)


def gradients(losses: Sequence[Tensor], parameters: Sequence[Tensor]) -> Any:
    """Return both gradients, ``None`` where a loss does not reach a parameter."""
    wanted = [p for p in parameters if p.requires_grad]
    result = []
    for loss in losses:
        found = torch.autograd.grad(loss, wanted, allow_unused=True, retain_graph=True)
        named = dict(zip(map(id, wanted), found, strict=True))
        result.append([named.get(id(p)) for p in parameters])
    return result


def require_like_reference(
    bloop: bloop_torch.Bloop,
    gradients: Any,
    step: Any,
    *,
    unit: float = 1.0,
) -> None:
    """Take a step, and raise unless its direction and average are those of the reference's Bloop.

    Args:
        bloop: what takes the step; the reference goes on from the average that it has.
        gradients: the main and the auxiliary gradient that the step will see.
        step: takes the step.
        unit: what the direction is left multiplied by.
    """
    now = bloop.method.at(bloop.count, lambda _, value, most: value)
    object.__setattr__(now, "memory_dtype", None)  # that of the arrays will do
    parameters = list(bloop.parameters.values())
    like = [p.detach() for p in parameters]
    ema = arrays([bloop.ema.get(name) for name in bloop.parameters], like)
    mains, auxes = (arrays(gradient, like) for gradient in gradients)
    state = now.init([x.copy() for x in wide(mains)])
    state = state._replace(
        memory=(wide(ema),),
        count=state.count + bloop.count,
        skipped=state.skipped + int(bloop.skipped),
    )
    direction, after = now.step([wide(mains), wide(auxes)], state)
    step()
    u = unit_roundoff(mains, auxes)
    sizes = [norm(flat(v)) for v in (mains, auxes, ema)]
    found = flat(arrays([p.grad for p in parameters], like)) / unit
    bound = direction_bound(u, found.size, sizes[0], sizes[1], now.lam)
    require_close("direction", found, flat(direction), bound)
    found = flat(arrays([bloop.ema.get(name) for name in bloop.parameters], like))
    bound = average_bound(u, u, sizes[0], sizes[2], now.rho)
    require_close("average", found, flat(after.ema), bound)
