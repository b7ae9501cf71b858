"""Gradients that are gathered in phases, one for each loss."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor

from bloop_torch._shards import is_sharded

Gathered: TypeAlias = dict[str, Tensor | None]


class Gradients:
    """The gradients of some losses, each gathered from ``.grad`` over some backward passes."""

    def __init__(self, parameters: Mapping[str, Tensor], phases: Sequence[str]) -> None:
        """Gather for some parameters in phases, named by the calls that users enter them with."""
        self._parameters = parameters
        self._phases = phases
        self._gathered: dict[str, Gathered] = {}
        self._open: str | None = None
        self._lost: str | None = None
        self._left_out: set[str] = set()

    @property
    def pending(self) -> bool:
        """Whether something has been gathered and not taken."""
        return bool(self._gathered)

    def began(self, phases: Sequence[str]) -> bool:
        """Whether one of some phases has been gathered and not taken."""
        return not self._gathered.keys().isdisjoint(phases)

    @contextmanager
    def phase(self, which: str, begin: Callable[[], None]) -> Iterator[None]:
        """Let backward passes within accumulate into one of the gradients.

        Outside of the phases ``.grad`` is ``None``, until the direction is there. What has been
        gathered is dropped where a backward pass raises. ``begin`` is called before the first phase
        of a step, and may raise.
        """
        self._enter(which, begin)
        before = self._gathered.setdefault(which, {})
        for name, parameter in self._parameters.items():
            parameter.grad = before.get(name)
        self._open = which
        try:
            yield
            self._gathered[which] = {n: dense(p.grad) for n, p in self._parameters.items()}
        except BaseException as error:
            self._lose(which, error)
            raise
        finally:
            self._open = None
            for parameter in self._parameters.values():
                parameter.grad = None

    def leave_out(self, which: str, begin: Callable[[], None]) -> None:
        """Let a phase pass with nothing in it: what it gathers may stay zero."""
        self._enter(which, begin)
        self._gathered.setdefault(which, dict.fromkeys(self._parameters))
        self._left_out.add(which)

    def _enter(self, which: str, begin: Callable[[], None]) -> None:
        self.require_closed(which)
        if not self.pending:
            begin()
            self._left_out = set()
        for other in self._gathered.keys() - {which}:
            self._secure(other)

    def require_closed(self, call: str) -> None:
        """Raise within a phase."""
        if self._open is not None:
            raise RuntimeError(
                f"{call} must not be within {self._open}: phases are not nested. Leave that first"
            )

    def of(self, which: str) -> Gathered:
        """Return what a phase has gathered, itself."""
        return self._gathered[which]

    def take(self, alone: str = "") -> tuple[Gathered, ...]:
        """Return the gradients by name, one for each phase in order, and forget them.

        A phase that may take the place of all others is named by ``alone``.
        """
        self.require_closed("combine()")
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
                    f"the last one{self._reason()}"
                )
        gathered = tuple(self._gathered[which] for which in phases)
        self.drop()
        return gathered

    def require_reached(self, phases: Sequence[str], gathered: Sequence[Gathered]) -> None:
        """Raise where a loss that was not left out has a gradient at no parameter."""
        for which, gradient in zip(phases, gathered, strict=True):
            if which not in self._left_out and all(x is None for x in gradient.values()):
                raise RuntimeError(
                    f"{which} has gathered no gradient: no backward pass in it reached any of "
                    "params. Give the parameters that the losses train; a step without an "
                    "auxiliary loss takes None for it, in backward or accumulate"
                )

    def _reason(self) -> str:
        """Return what may have become of gradients that are missing."""
        if self._lost is not None:
            return (
                f". An exception left {self._lost}, and what had been gathered was dropped: begin "
                "the step anew"
            )
        if any(parameter.grad is not None for parameter in self._parameters.values()):
            return (
                ". What lies in .grad was computed outside of the phases: let backward compute it, "
                f"or call the loss's backward within {self._phases[0]}"
            )
        return ""

    def drop(self) -> None:
        """Forget what has been gathered."""
        self._gathered, self._lost = {}, None

    def _lose(self, which: str, error: BaseException) -> None:
        """Drop everything, and tell why, to whoever sees the exception or combines nevertheless."""
        self._gathered, self._lost = {}, which
        error.add_note(f"in {which}; what had been gathered for this step was dropped")
        if isinstance(error, RuntimeError) and "second time" in str(error):
            error.add_note(
                "a graph that losses share is kept for the next loss by shared_graph=True, in "
                "your own backward calls by retain_graph=True; no loss can be used in two steps"
            )

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
