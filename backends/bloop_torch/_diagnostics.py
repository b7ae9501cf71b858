"""Norms and cosines of long vectors from those of their leaves, each measured in its own scale."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from bloop_ref import Diagnostics


def together(parts: Sequence[Diagnostics], losses: int, size: int) -> Diagnostics:
    """Return the diagnostics of vectors from those of their leaves.

    ||v||^2 = sum ||v_l||^2, and a cosine is the mean of those of the leaves, each weighted with the
    shares ||v_l|| / ||v|| of both vectors: no square of a norm is formed, which might leave the
    range. Floats give floats; what lies on a device is not waited for.

    Args:
        parts: one entry for each leaf.
        losses: how many of the vectors are gradients.
        size: how many vectors there are.

    Example:
        >>> one = Diagnostics((3.0, 1.0), (), ((1.0, 0.5), (0.5, 1.0)))
        >>> two = Diagnostics((4.0, 0.0), (), ((1.0, 0.0), (0.0, 0.0)))
        >>> together([one, two], 2, 2)
        Diagnostics(gradient_norms=(5.0, 1.0), memory_norms=(), cosines=((1.0, 0.3), (0.3, 1.0)))
    """
    if not parts:
        return Diagnostics((0.0,) * losses, (0.0,) * (size - losses), ((0.0,) * size,) * size)
    first = next((x for part in parts for x in part.norms if isinstance(x, Tensor)), None)
    sizes = torch.stack([_vector(part.norms, first) for part in parts])
    cosines = torch.stack([_vector([*chain(*part.cosines)], first) for part in parts])
    tiny = torch.finfo(sizes.dtype).tiny
    largest = sizes.amax(0).clamp_min(tiny)
    norms = largest * (sizes / largest).square().sum(0).sqrt()
    shares = sizes / norms.clamp_min(tiny)
    whole = torch.einsum("li,lj,lij->ij", shares, shares, cosines.view(-1, size, size))
    found, rows = _scalars(norms, first), [_scalars(row, first) for row in whole]
    return Diagnostics(found[:losses], found[losses:], tuple(rows))


def _vector(values: Sequence[Any], like: Tensor | None) -> Tensor:
    if like is None:
        return torch.tensor(values, dtype=torch.float64)
    return torch.stack([torch.as_tensor(x, dtype=like.dtype, device=like.device) for x in values])


def _scalars(values: Tensor, like: Tensor | None) -> tuple[Any, ...]:
    return tuple(values.tolist() if like is None else values.unbind())
