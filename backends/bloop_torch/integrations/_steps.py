"""What the mixins share: the mean over micro-batches, and what a logger takes."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from torch import Tensor

from bloop_ref import Diagnostics
from bloop_torch.surgery import Surgery

Loss = Tensor | float | None


def micro_step(
    surgery: Surgery,
    losses: Sequence[Loss],
    micro_batches: int,
    *,
    last: bool,
    scaler: Any,
    diagnostics: bool,
) -> dict[str, Any]:
    """Add a micro-batch's part of the mean gradients; with the last one leave the direction.

    Returns what there is to log: nothing unless it is the last one and diagnostics are wanted.
    """
    parts: Any = [x / micro_batches if x is not None and micro_batches > 1 else x for x in losses]
    surgery.accumulate(*parts, scaler=scaler)
    if not last:
        return {}
    found = surgery.combine(scaler=scaler, diagnostics=diagnostics)
    return {} if found is None else scalars(found, surgery.losses)


def scalars(found: Diagnostics, losses: int) -> dict[str, Any]:
    """Return norms and cosines by the names of their vectors: main, aux, ema, or numbered."""
    names = ["main", *numbered("aux", losses - 1)]
    names += numbered("ema", len(found.norms) - losses)
    pairs = combinations(range(len(names)), 2)
    return {f"norm_{name}": norm for name, norm in zip(names, found.norms, strict=True)} | {
        f"cos_{names[i]}_{names[j]}": found.cosines[i][j] for i, j in pairs
    }


def numbered(name: str, count: int) -> list[str]:
    """Return so many names, with a number where there is more than one."""
    return [name] if count == 1 else [f"{name}_{k}" for k in range(1, count + 1)]
