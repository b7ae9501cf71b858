"""Steps that take the gradient of the weighted sum alone: ``Bloop(every=m)``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from bloop_ref.every import check_due
from bloop_torch._backward import run
from bloop_torch._gradients import Gathered
from bloop_torch.step import checked

if TYPE_CHECKING:
    from bloop_torch.surgery import Surgery

MIXED_PHASE = "mixed_gradient()"


def check_between(owner: "Surgery") -> None:
    """Raise unless the method may take one gradient for all, and is not due to take each."""
    if owner.method.every == 1:
        raise ValueError("mixed_gradient() needs a method with every above 1; found every=1")
    check_due(owner.method.every, owner.count)


def names(owner: "Surgery", gathered: Sequence[Gathered]) -> tuple[str, ...]:
    """Return what the user calls the gradients of a step."""
    return owner._phases if len(gathered) == owner.losses else (MIXED_PHASE,)


def accumulated(owner: "Surgery", losses: Sequence[Tensor | None], scaler: Any) -> bool:
    """Add the gradient of main + lam aux by one backward pass, where the step wants no more.

    lam is that of the step. Return whether that was so: where a full step is due, or phases of one
    have been entered, each loss needs a pass of its own; a step without an auxiliary loss has no
    more than one.
    """
    if (
        owner.method.full(owner.count)
        or owner._gradients.began(owner._phases)
        or any(loss is None for loss in losses)
    ):
        return False
    main, aux = losses
    method: Any = owner.method.at(owner.count, checked)
    total: Any = main + method.lam * aux
    with owner._gradients.phase(MIXED_PHASE, owner._begin):
        run(total if scaler is None else scaler.scale(total), owner.parameters, retain_graph=False)
    return True
