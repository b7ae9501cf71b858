"""What gradients are measured in when a ``GradScaler`` has scaled the losses."""

from typing import TypeAlias

import torch
from torch import Tensor
from torch.amp import GradScaler

Unit: TypeAlias = float | Tensor


def loss_scale(scaler: GradScaler | None, device: torch.device, *, readable: bool) -> Unit:
    """Return the scale of the losses; it is read only where that costs no waiting."""
    if scaler is None:
        return 1
    scale = scaler.scale(torch.ones((), device=device))
    return scale.item() if readable and device.type == "cpu" else scale.double()
