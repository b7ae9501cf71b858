"""Comparing gradients of tensors with the reference, within the bounds of the suite."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

import bloop_ref
from bloop_proofs.cases import Gradient
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.laws.measure import require_close
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import average_bound, direction_bound, norm, unit_roundoff

Vector = Sequence[Any]

fetch = FRAMEWORKS["torch"].numpy


def normal(
    shapes: Sequence[tuple[int, ...]], seed: int, dtype: Any = torch.float32
) -> list[Tensor]:
    """Return leaves of normal numbers."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


def arrays(vector: Vector, like: Vector) -> Gradient:
    """Return a vector as NumPy arrays, ``None`` as the zeros that it stands for."""
    return [
        np.zeros(tuple(y.shape), fetch(y).dtype) if x is None else fetch(x)
        for x, y in zip(vector, like, strict=True)
        if y is not None
    ]


def wide(vector: Gradient) -> Gradient:
    """Return a vector in the precision of the reference's judge."""
    return [x.astype(np.complex128 if x.dtype.kind == "c" else np.float64) for x in vector]


def require_step(*vectors: Any, lam: float, rho: float) -> None:
    """Raise unless a direction and an average are the reference's.

    Args:
        vectors: g_main, all of whose leaves count, g_aux, ema, the direction and the new EMA.
        lam: the weight of the auxiliary loss.
        rho: the weight of the new gradient.
    """
    g_main, g_aux, ema, direction, new_ema = vectors
    main, aux, average = (arrays(v, g_main) for v in (g_main, g_aux, ema))
    u, n = unit_roundoff(main, aux, average), flat(main).size
    sizes = [norm(flat(v)) for v in (main, aux, average)]
    required = bloop_ref.bloop_direction(wide(main), wide(aux), wide(average), lam=lam)
    bound = direction_bound(u, n, sizes[0], sizes[1], lam)
    require_close("direction", flat(arrays(direction, g_main)), flat(required), bound)
    required = bloop_ref.update_ema(wide(average), wide(main), rho=rho)
    bound = average_bound(unit_roundoff(average), unit_roundoff(main), sizes[0], sizes[2], rho)
    require_close("new_ema", flat(arrays(new_ema, g_main)), flat(required), bound)
