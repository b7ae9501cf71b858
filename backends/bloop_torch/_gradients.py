"""Gradients that are gathered in phases, one for each loss."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor

from bloop_torch._shards import is_sharded

Gathered: TypeAlias = dict[str, Tensor | None]

MAIN_PHASE, AUX_PHASE = "main_gradient()", "aux_gradient()"


class Gradients:
    """The gradients of some losses, each gathered from ``.grad`` over some backward passes."""

    def __init__(self, parameters: Mapping[str, Tensor], phases: Sequence[str]) -> None:
        """Gather for some parameters in phases, named by the calls that users enter them with."""
        self._parameters = parameters
        self._phases = phases
        self._gathered: dict[str, Gathered] = {}

    @property
    def pending(self) -> bool:
        """Whether something has been gathered and not taken."""
        return bool(self._gathered)

    def began(self, phases: Sequence[str]) -> bool:
        """Whether one of some phases has been gathered and not taken."""
        return not self._gathered.keys().isdisjoint(phases)

    @contextmanager
    def phase(self, which: str) -> Iterator[None]:
        """Let backward passes within accumulate into one of the gradients.

        Outside of the phases ``.grad`` is ``None``, until the direction is there. What has been
        gathered is dropped where a backward pass raises.
        """
        for other in self._gathered.keys() - {which}:
            self._secure(other)
        before = self._gathered.setdefault(which, {})
        for name, parameter in self._parameters.items():
            parameter.grad = before.get(name)
        try:
            yield
        except BaseException:
            self.drop()
            raise
        else:
            self._gathered[which] = {n: dense(p.grad) for n, p in self._parameters.items()}
        finally:
            for parameter in self._parameters.values():
                parameter.grad = None

    def take(self, alone: str = "") -> tuple[Gathered, ...]:
        """Return the gradients by name, one for each phase in order, and forget them.

        A phase that may take the place of all others is named by ``alone``.
        """
        phases = (alone,) if alone in self._gathered else self._phases
        if others := sorted(self._gathered.keys() - set(phases)):
            raise RuntimeError(
                f"combine takes {alone} alone or the gradient of every loss; {', '.join(others)} "
                "has been entered too"
            )
        for which in phases:
            if which not in self._gathered:
                raise RuntimeError(
                    f"combine needs the gradient of every loss; {which} has not been entered since "
                    "the last one"
                )
        gathered = tuple(self._gathered[which] for which in phases)
        self.drop()
        return gathered

    def drop(self) -> None:
        """Forget what has been gathered."""
        self._gathered = {}

    def _secure(self, which: str) -> None:
        """Copy what lies in memory that the next backward pass writes to, as DDP's buckets do."""
        for name, gradient in self._gathered[which].items():
            if gradient is not None and _is_part(gradient):
                self._gathered[which][name] = gradient.clone()


def dense(gradient: Tensor | None) -> Tensor | None:
    """Return a gradient as a dense tensor: the direction is dense, since the average is."""
    if gradient is None:
        return None
    gradient = gradient.detach()
    return gradient if gradient.layout is torch.strided else gradient.to_dense()


def _is_part(gradient: Tensor) -> bool:
    """Whether a tensor is a view of a larger piece of memory."""
    if is_sharded(gradient):  # FSDP reduces into new memory on every pass
        return False
    return gradient.untyped_storage().nbytes() > gradient.numel() * gradient.element_size()
