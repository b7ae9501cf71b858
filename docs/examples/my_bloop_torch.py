"""Bloop in PyTorch: one step of Algorithm 1, for a list of tensors, one per parameter."""

import torch
from torch import Tensor

Gradient = list[Tensor]


def inner(xs: Gradient, ys: Gradient) -> Tensor:
    """Return <x, y> over all parameters together, summed in float64."""
    return torch.stack(
        [(wide(x).conj() * wide(y)).real.sum() for x, y in zip(xs, ys, strict=True)]
    ).sum()


def wide(x: Tensor) -> Tensor:
    """Return a tensor in float64, or complex128, where squares of float16 do not overflow."""
    return x.to(torch.promote_types(x.dtype, torch.float64))


@torch.no_grad()
def step(
    g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float
) -> tuple[Gradient, Gradient]:
    """Return the direction, and the EMA of the main gradients after this batch."""
    square = inner(ema, ema)
    c = torch.where(square == 0, 0.0, inner(g_aux, ema) / square)  # no wait for the device
    direction = [
        (g + lam * (a - c * e)).to(g.dtype) for g, a, e in zip(g_main, g_aux, ema, strict=True)
    ]
    new_ema = [((1 - rho) * e + rho * g).to(e.dtype) for g, e in zip(g_main, ema, strict=True)]
    return direction, new_ema
