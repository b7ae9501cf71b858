"""A step of any method: by its matrix, leaf by leaf, or as the reference takes it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.amp import GradScaler

from bloop_ref.gram_method import GramMethod
from bloop_ref.surgery import PerLeaf
from bloop_torch import _memory
from bloop_torch._beside import take_leafwise_step, take_vector_step
from bloop_torch._driver import Outcome, Step, settled, take_step
from bloop_torch._gradients import Gathered
from bloop_torch._hyperparameters import inner
from bloop_torch._losses import loss_scale
from bloop_torch.step import checked

if TYPE_CHECKING:
    from bloop_torch.surgery import Surgery


def take(
    owner: "Surgery",
    gathered: Sequence[Gathered],
    *,
    names: Sequence[str],
    scaler: GradScaler | None,
    given: Mapping[str, Any],
    diagnose: bool,
) -> tuple[Outcome, Any]:
    """Return the outcome of a step, and the next state; averages have moved then."""
    method: Any = inner(owner.method).at(owner.count, checked)
    gram = isinstance(owner.method, GramMethod)
    losses = len(gathered)  # one on a step between of Bloop(every=m)
    every = range(losses)
    checks = scaler is not None or method.nonfinite != "propagate"
    # a scaler skips the step for whichever gradient is not finite
    watched = every if scaler is not None else method.watched(losses)
    step = Step(
        method=method,
        losses=losses,
        scalars=owner.state.scalars if gram else (),
        scale=loss_scale(scaler, owner.skipped.device),
        check=every if checks else (),
        watched=watched if checks else (),
        names=names,
        fresh=_no_average_yet(owner),
        given=given,
        begun=owner._guard.begin,
        diagnose=diagnose,
    )
    memory = owner.state.memory if gram else ()
    rows = _memory.rows(owner.parameters, names, gathered, method, memory)
    if gram:
        outcome = take_step(rows, step, method)
        return outcome, settled(owner.state, outcome)
    if isinstance(owner.method, PerLeaf):
        return take_leafwise_step(rows, step, owner.state, method)
    return take_vector_step(rows, step, owner.state)


def _no_average_yet(owner: "Surgery") -> bool:
    """Whether gradients are to be the first averages; waits for a device until one was."""
    if owner._fresh and owner.count:
        owner._fresh = not bool(owner._moved)
    return owner._fresh


def leave(owner: "Surgery", outcome: Outcome, scaler: GradScaler | None) -> None:
    """Leave the direction in ``.grad``, unless it is to be withheld."""
    # all of the step has been launched by now, and a scaler would wait by itself
    waits = scaler is None or owner.skipped.device.type == "cpu"
    owner.withheld = _suppressed(outcome, inner(owner.method).nonfinite, waits=waits)
    if scaler is None and owner.withheld:
        owner._guard.withhold()
    else:
        owner._guard.leave(outcome.direction, scaler)


def _suppressed(outcome: Outcome, nonfinite: str, *, waits: bool) -> Tensor | bool:
    """Return whether a step is to make no update; as a flag that was waited for, if wanted."""
    if nonfinite != "skip":
        return False
    finite = outcome.finite
    if not isinstance(finite, Tensor):
        return not finite
    return not bool(finite) if waits else ~finite
