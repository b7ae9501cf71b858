"""Judging a loop that others own: every step is the reference's, on the micro-batches seen."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from bloop_torch import Bloop, Surgery
from tests.torch.models import gradients, require_like_reference

LAM, RHO = 0.5, 0.25


def schedule(count: int) -> float:
    """Return the weight of the auxiliary loss at a step."""
    return LAM / (1 + count)


class Seen:
    """A ``Surgery`` with the method Bloop, by the names that ``Bloop`` has."""

    def __init__(self, owner: Surgery) -> None:
        self._owner = owner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._owner, name)

    @property
    def ema(self) -> Any:
        return Bloop.ema.fget(self._owner)  # type: ignore[attr-defined]


class Judge:
    """Checks a loop from outside, by hooks: direction, average, clipping, and the step of SGD.

    Args:
        most_norm: what the loop clips the direction's norm to, if it does.
        divisor: what the gradients of micro-batches are divided by; by default their number.
        scaler: returns the ``GradScaler``, if the loop has one.
        processes: how many there are, each with its micro-batches; then gradients are averaged.
    """

    def __init__(
        self,
        most_norm: float | None = None,
        divisor: int | None = None,
        scaler: Callable[[], Any] = lambda: None,
        processes: int = 1,
    ) -> None:
        self.most_norm, self.divisor, self.scaler = most_norm, divisor, scaler
        self.processes = processes
        self.steps, self.clipped, self.sizes = 0, 0, list[int]()
        self._model: Any = None
        self._pending: list[Any] = []
        self._direction: list[Tensor | None] | None = None
        self._before: list[Tensor] = []

    def see(self, model: nn.Module, losses: Sequence[Tensor]) -> None:
        """Keep the gradients of a micro-batch, of losses with a graph of their own."""
        self._model, scale = model, self._scale()
        # in half precision what underflows hangs on the scale
        found = gradients([loss * scale for loss in losses], list(model.parameters()))
        self._pending.append([[None if x is None else x / scale for x in g] for g in found])

    def combine(self, original: Any, surgery: Surgery, **options: Any) -> Any:
        """Let a step be taken, and raise unless it is the reference's on what was seen."""
        parameters = list(self._model.parameters())
        assert list(map(id, parameters)) == list(map(id, surgery.parameters.values()))
        assert self._direction is None, "the optimiser has not stepped since the last direction"
        self.sizes.append(len(self._pending))
        divisor = self.divisor or len(self._pending)
        means = [
            [total(column, divisor) for column in zip(*g, strict=True)]
            for g in zip(*self._pending, strict=True)
        ]
        if self.processes > 1:
            for x in (x for g in means for x in g if x is not None):
                dist.all_reduce(x.div_(self.processes))
        result: list[Any] = []
        require_like_reference(
            Seen(surgery),  # type: ignore[arg-type]
            means,
            lambda: result.append(original(surgery, **options)),
            unit=self._scale(),
        )
        # a power of two, which changes no bit
        self._direction = [None if p.grad is None else p.grad / self._scale() for p in parameters]
        self._before, self._pending = [p.detach().clone() for p in parameters], []
        return result[0]

    def after_step(self, optimizer: Any, *_: Any) -> None:
        """Raise unless SGD has stepped along the clipped direction."""
        assert self._direction is not None, "the optimiser steps without a new direction"
        parameters = list(self._model.parameters())
        found = [p.grad for p in parameters]
        self._require_clipped(found)
        (rate,) = {group["lr"] for group in optimizer.param_groups}
        for p, before, x in zip(parameters, self._before, found, strict=True):
            assert torch.equal(p, before if x is None else before.add(x, alpha=-rate))
        self._direction = None
        self.steps += 1

    def _require_clipped(self, found: Sequence[Tensor | None]) -> None:
        assert self._direction is not None
        copies = [nn.Parameter(torch.empty_like(before)) for before in self._before]
        for copy, x in zip(copies, self._direction, strict=True):
            copy.grad = x
        if self.most_norm is not None:
            before = torch.nn.utils.clip_grad_norm_(copies, self.most_norm)
            self.clipped += bool(before > self.most_norm)
        for copy, x in zip(copies, found, strict=True):
            assert (copy.grad is None) == (x is None)
            assert x is None or torch.equal(copy.grad, x)  # type: ignore[arg-type]

    def _scale(self) -> float:
        scaler = self.scaler()
        return scaler.get_scale() if scaler else 1.0

    @contextmanager
    def watching(self) -> Iterator["Judge"]:
        """Watch every ``Surgery`` and every optimiser within."""
        hook = register_optimizer_step_post_hook(self.after_step)
        combine: Any = Surgery.combine
        watched: Any = lambda surgery, **kw: self.combine(combine, surgery, **kw)  # noqa: E731
        Surgery.combine = watched  # type: ignore[method-assign]
        try:
            yield self
        finally:
            Surgery.combine = combine  # type: ignore[method-assign]
            hook.remove()


def total(column: Sequence[Tensor | None], divisor: int) -> Tensor | None:
    """Return the sum of some gradients over a divisor; ``None`` where there is none."""
    there = [x / divisor for x in column if x is not None]
    return sum(there[1:], there[0]) if there else None
