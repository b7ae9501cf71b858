"""Whether the direction in ``.grad`` is used, and by an optimiser that can use it."""

import weakref
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from bloop_torch._shards import local


class Guard:
    """What becomes of the directions that one object leaves in ``.grad`` of its parameters.

    It watches all optimisers for as long as it lives, and holds no gradient: whoever clears
    ``.grad`` frees its memory.
    """

    def __init__(self, parameters: Iterable[Tensor], name: str, unfinished: bool = False) -> None:
        """Guard some parameters for an object of a class of that name."""
        self._parameters = list(parameters)
        self._own = {id(parameter) for parameter in self._parameters}
        self._name = name
        self._unfinished = unfinished
        self._versions: list[int] | None = None
        self._scale: tuple[Tensor, int] | None = None
        self._others: dict[int, tuple[str, Any, Any, int]] = {}
        self._groups: Any = weakref.WeakKeyDictionary()
        for register, method in (
            (register_optimizer_step_pre_hook, self.before_step),
            (register_optimizer_step_post_hook, self.after_step),
        ):
            weakref.finalize(self, register(_weak(method)).remove)

    def __reduce__(self) -> Any:
        return Guard, (self._parameters, self._name, self._unfinished)

    def begin(self) -> None:
        """Take note that a step writes from here on, until it leaves its direction."""
        self._unfinished = True

    def leave(self, directions: Iterable[Tensor | None], scaler: GradScaler | None) -> None:
        """Leave a direction in ``.grad``, to be stepped on or refused by a scaler."""
        for parameter, direction in zip(self._parameters, directions, strict=True):
            parameter.grad = direction
        self._versions = [parameter._version for parameter in self._parameters]
        scale = getattr(scaler, "_scale", None)
        self._scale = None if scale is None else (scale, scale._version)

    def withhold(self) -> None:
        """Leave no direction."""
        for parameter in self._parameters:
            parameter.grad = None

    def end(self) -> None:
        """Take note that all has been written."""
        self._unfinished = False

    def forget(self) -> None:
        """Expect nothing of the last direction."""
        self._versions, self._scale, self._others = None, None, {}

    def require_finished(self) -> None:
        """Raise if a step has begun to write and did not come to its end."""
        if self._unfinished:
            raise RuntimeError(
                f"{self._name}: an exception has left combine before its end, and what is "
                "remembered may be half of one step and half of the next. Load a state from before "
                "with load_state_dict"
            )

    def require_ready(self) -> None:
        """Raise unless a new step may begin: before any gradient is overwritten."""
        self.require_finished()
        if not self._used():
            raise RuntimeError(
                f"{self._name}: the direction of the last step is still in .grad, and no optimiser "
                "has taken it. Call optimizer.step() after every backward or combine, "
                "optimizer.zero_grad() to drop the direction, or accumulate for all micro-batches "
                "of a step but the last"
            )
        kept = [place for place, *grad in self._others.values() if _untouched(*grad)]
        if kept:
            raise RuntimeError(
                f"{self._name}: an optimiser has stepped on {len(kept)} parameters that params "
                f"does not hold, {kept[0]} the first, and their .grad has not been cleared since: "
                "every backward pass would add to it. Call optimizer.zero_grad() after every step, "
                f"or make a {self._name} of all parameters"
            )
        self.forget()

    def _used(self) -> bool:
        """Whether the last direction was stepped on, replaced, cleared or refused by a scaler."""
        if self._versions is None:
            return True
        pairs = zip(self._parameters, self._versions, strict=True)
        if any(parameter._version != version for parameter, version in pairs):
            return True
        if self._scale is not None and self._scale[0]._version != self._scale[1]:
            return True  # scaler.update() has been called
        left = [local(p.grad) for p in self._parameters if p.grad is not None]
        # a device is waited for only where the answer is an error, or gradients were set to zero
        return not any(bool(x.any()) for x in left)

    def before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """Refuse L-BFGS, which would average many gradients or overwrite the direction."""
        del args, kwargs
        if torch.compiler.is_compiling() or not isinstance(optimizer, torch.optim.LBFGS):
            return
        if self._of(optimizer)[0]:
            raise TypeError(
                f"L-BFGS cannot step on parameters that {self._name} gives the direction of: its "
                "line search evaluates the loss many times a step and needs that loss's own "
                "gradient. Use an optimiser that reads .grad once per step (SGD, Adam, ...)"
            )

    def after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        """Take note that a direction was used, and of gradients that nobody here will clear."""
        del args, kwargs
        if torch.compiler.is_compiling():
            return
        own, others = self._of(optimizer)
        if not own:
            return
        self._versions = None
        for place, parameter in others:
            grad = parameter.grad
            if grad is not None:
                refs = weakref.ref(parameter), weakref.ref(grad)
                self._others[id(parameter)] = (place, *refs, grad._version)

    def _of(self, optimizer: Optimizer) -> tuple[bool, list[tuple[str, Tensor]]]:
        """Return whether an optimiser has parameters of these, and which others it has, and where.

        That is looked up again when a group is added, or grows.
        """
        sizes = [len(group["params"]) for group in optimizer.param_groups]
        known = self._groups.get(optimizer)
        if known is None or known[0] != sizes:
            placed = [
                (f"optimizer.param_groups[{i}]['params'][{j}]", parameter)
                for i, group in enumerate(optimizer.param_groups)
                for j, parameter in enumerate(group["params"])
            ]
            others = [(place, p) for place, p in placed if id(p) not in self._own]
            known = self._groups[optimizer] = (sizes, len(others) < len(placed), others)
        _, owns, others = known
        return owns, others


def _weak(method: Any) -> Callable[..., None]:
    """Return a method as a hook that does not keep its object alive."""
    reference = weakref.WeakMethod(method)

    def hook(*args: Any) -> None:
        alive = reference()
        if alive is not None:
            alive(*args)

    return hook


def _untouched(parameter: Any, gradient: Any, version: int) -> bool:
    """Whether a parameter still has the gradient that was stepped on, as it was then."""
    there, grad = parameter(), gradient()
    return (
        there is not None and grad is not None and there.grad is grad and grad._version == version
    )
