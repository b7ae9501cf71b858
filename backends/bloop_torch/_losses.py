"""What is given to a step: losses, their scale, and scalars that a method takes beside them."""

import inspect
from collections.abc import Collection, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.amp import GradScaler

from bloop_ref.gram_method import GramMethod
from bloop_ref.method import Method
from bloop_torch import _between
from bloop_torch._backward import run

if TYPE_CHECKING:
    from bloop_torch.surgery import Surgery


def checked_losses(
    losses: Sequence[Any], count: int, scaler: GradScaler | None
) -> list[Tensor | None]:
    """Return the losses, ``None`` for those that are left out in this step.

    Raises ``TypeError`` and ``ValueError`` for what no backward pass can start at.
    """
    if len(losses) != count:
        raise ValueError(f"losses must be {count}; found {len(losses)}")
    found = [_left_out(loss, k) for k, loss in enumerate(losses)]
    for k, loss in enumerate(found):
        if loss is not None:
            _check_loss(f"losses[{k}]", loss)
            if scaler is not None and _is_scaled(loss, scaler):
                raise ValueError(
                    f"losses[{k}] must not be scaled where scaler= is given, which scales it: "
                    "found the result of scaler.scale"
                )
    return found


def _left_out(loss: Any, k: int) -> Any:
    """Return ``None`` for an auxiliary loss of ``None`` or 0."""
    nothing = loss is None or (isinstance(loss, Real) and loss == 0)
    if nothing and k:
        return None
    if not isinstance(loss, Tensor):
        rest = ", or None for a step without it" if k else "; only auxiliary losses can be left out"
        raise TypeError(f"losses[{k}] must be a scalar tensor{rest}; found {loss!r}")
    return loss


def _check_loss(name: str, loss: Tensor) -> None:
    if loss.numel() != 1:
        raise ValueError(
            f"{name} must be a scalar: take its mean or sum; found shape {tuple(loss.shape)}"
        )
    if not loss.is_floating_point():
        raise TypeError(f"{name} must be real and floating; found {loss.dtype}")
    if not loss.requires_grad:
        raise ValueError(
            f"{name} must have been computed from the parameters; found a tensor without a graph "
            "(requires_grad=False): it is a constant, was detached, or computed under no_grad"
        )


FACTORS = ("MulBackward0", "DivBackward0")


def _is_scaled(loss: Tensor, scaler: GradScaler) -> bool:
    """Whether a loss is a product with the very scale that a scaler has, maybe times numbers."""
    scale, node = getattr(scaler, "_scale", None), loss.grad_fn
    while scale is not None and node is not None and node.name() in FACTORS:
        try:
            factor = getattr(node, "_saved_other", None)
        except RuntimeError:  # freed, or of a scale that is another one by now
            return False
        if isinstance(factor, Tensor) and factor.data_ptr() == scale.data_ptr():
            return True
        node = node.next_functions[0][0]
    return False


def loss_scale(scaler: GradScaler | None, device: torch.device) -> float | Tensor:
    """Return the scale of the losses; it is read only where that costs no waiting."""
    if scaler is None:
        return 1
    scale = scaler.scale(torch.ones((), device=device))
    return scale.item() if device.type == "cpu" else scale.double()


def check_given(method: Method, given: Mapping[str, Any]) -> None:
    """Raise ``TypeError`` for a scalar that a method does not take: it would count for nothing."""
    if not given:
        return
    takes: Any = method.weights if isinstance(method, GramMethod) else method.step
    kinds = inspect.signature(takes).parameters.values()
    known = [p.name for p in kinds if p.kind is inspect.Parameter.KEYWORD_ONLY]
    for name in given:
        if name not in known:
            raise TypeError(
                f"{name} is no argument of backward or combine, and no scalar that "
                f"{type(method).__name__} takes at a step: it takes {known or 'none'}"
            )


def active(scaler: GradScaler | None) -> GradScaler | None:
    """Return a scaler unless it is disabled: then it scales nothing, and skips nothing."""
    return None if scaler is None or not scaler.is_enabled() else scaler


def check_scalers(used: Collection[GradScaler | None], scaler: GradScaler | None) -> None:
    """Raise ``ValueError`` unless all micro-batches were scaled as the direction is said to be.

    Losses that came without a scaler may have been scaled beforehand, but then all of them.
    """
    if scaler is not None and getattr(scaler, "_scale", scaler) is None:
        raise ValueError(
            "scaler has not scaled any loss yet: within the phases call "
            "scaler.scale(loss).backward(), or give scaler= to accumulate too"
        )
    if len(used) > 1 or (used and used not in ({None}, {scaler})):
        raise ValueError(
            "scaler must be the same in accumulate and backward or combine, for all micro-batches "
            "of a step: the gradients would be summed at different scales"
        )


def gather(
    owner: "Surgery",
    losses: Sequence[Tensor | float | None],
    *,
    shared_graph: bool,
    scaler: GradScaler | None,
    complete: bool = False,
) -> None:
    """Add the gradients of losses; if they are complete then, begin to average each."""
    scaler = active(scaler)
    found = checked_losses(losses, owner.losses, scaler)
    last = max(k for k, loss in enumerate(found) if loss is not None)
    if _between.accumulated(owner, found, scaler):
        if complete:
            owner._average.start(0, owner._gradients.of(_between.MIXED_PHASE))
        found = []
    for k, loss in enumerate(found):
        which = owner._phases[k]
        if loss is None:
            owner._gradients.leave_out(which, owner._begin)
        else:
            scaled = loss if scaler is None else scaler.scale(loss)
            with owner.gradient(k):
                run(scaled, owner.parameters, retain_graph=shared_graph and k != last)
        if complete:
            owner._average.start(k, owner._gradients.of(which))
    owner._scalers = {*owner._scalers, scaler}
