"""Gradients that are gathered in two phases: the main one, then the auxiliary one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from bloop_torch._shards import is_sharded

Phase: TypeAlias = Literal["main", "aux"]
Gathered: TypeAlias = dict[str, Tensor | None]


class Gradients:
    """The gradients of two losses, each gathered from ``.grad`` over some backward passes."""

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        """Gather for some parameters; nothing is gathered yet."""
        self._parameters = parameters
        self._gathered: dict[Phase, Gathered] = {}

    @property
    def pending(self) -> bool:
        """Whether something has been gathered and not taken."""
        return bool(self._gathered)

    @contextmanager
    def phase(self, which: Phase) -> Iterator[None]:
        """Let backward passes within accumulate into one of the two gradients.

        Outside of the phases ``.grad`` is ``None``, until the direction is there. What has been
        gathered is dropped where a backward pass raises.
        """
        self._secure("aux" if which == "main" else "main")
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

    def take(self) -> tuple[Gathered, Gathered]:
        """Return the main and the auxiliary gradient by name, and forget them."""
        for which in ("main", "aux"):
            if which not in self._gathered:
                raise RuntimeError(
                    f"combine needs both gradients; no {which}_gradient() has been entered since "
                    "the last one"
                )
        main, aux = self._gathered["main"], self._gathered["aux"]
        self.drop()
        return main, aux

    def drop(self) -> None:
        """Forget what has been gathered."""
        self._gathered = {}

    def _secure(self, which: Phase) -> None:
        """Copy what lies in memory that the next backward pass writes to, as DDP's buckets do."""
        for name, gradient in self._gathered.get(which, {}).items():
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
