"""What the mixins share: the mean over micro-batches, and what a logger takes."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

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
    return {} if found is None else found.as_dict()


def numbered(name: str, count: int) -> list[str]:
    """Return so many names, with a number where there is more than one."""
    return [name] if count == 1 else [f"{name}_{k}" for k in range(1, count + 1)]
