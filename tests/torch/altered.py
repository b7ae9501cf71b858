"""Models that are frozen in part, computed again, adapted or compiled."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def frozen(model: Any) -> Any:
    model.trunk.bias.requires_grad_(False)
    return model


class Recomputed(nn.Module):
    """A layer that is computed again in each backward pass."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Any:
        return checkpoint(self.layer, x, use_reentrant=False)


def recomputed(model: Any) -> Any:
    model.trunk = Recomputed(model.trunk)
    return model


class Adapted(nn.Module):
    """A frozen linear layer, and the low-rank change of it that is trained (LoRA)."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.down = nn.Linear(layer.in_features, 2, bias=False)
        self.up = nn.Linear(2, layer.out_features, bias=False)

    def forward(self, x: Tensor) -> Any:
        return self.layer(x) + self.up(self.down(x))


def adapted(model: Any) -> Any:
    model.trunk = Adapted(model.trunk)
    return model


def compiled(model: Any) -> Any:
    return torch.compile(model, backend="aot_eager")
