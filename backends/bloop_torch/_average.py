"""The mean of gradients over processes, where nothing else has taken it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from bloop_torch._buckets import Bucket, packed
from bloop_torch._gradients import Gathered
from bloop_torch._shards import axes_of


@dataclass
class Reduction:
    """The mean of one gradient under way; ``used`` says which leaves some process has."""

    gradient: Gathered
    used: Tensor
    work: list[Any]
    buckets: list[Bucket] = field(default_factory=list)


class Averaging:
    """The mean of several gradients over a group of processes, a few buckets for each.

    A leaf that only some processes have is zero in the others; one that none has stays ``None``.
    Which those are, all learn from one flag for each leaf, which is under way with the buckets:
    these hold what was there in the last step, and any other leaf follows when the flags are read.
    """

    def __init__(
        self, parameters: Mapping[str, Tensor], group: dist.ProcessGroup | None, losses: int
    ) -> None:
        """Average the gradients of some parameters; without a group leave them as they are."""
        self._parameters, self._group = parameters, group
        self._expected: list[list[str]] = [[] for _ in range(losses)]
        self._started: dict[int, Reduction] = {}
        if group is not None:
            _refuse_shards(parameters, group)

    def start(self, loss: int, gradient: Gathered) -> None:
        """Begin with a gradient to which nothing is added any more; it gives up its leaves."""
        if self._group is None:
            return
        device = next(iter(self._parameters.values())).device
        here = [gradient[name] is not None for name in self._parameters]
        used = torch.tensor(here, dtype=torch.int32, device=device)
        work = dist.all_reduce(used, dist.ReduceOp.MAX, group=self._group, async_op=True)
        self._started[loss] = Reduction(gradient, used, [work])
        self._send(self._started[loss], self._expected[loss])

    def finish(self, gradients: Sequence[Gathered]) -> tuple[Gathered, ...]:
        """Return the means of all gradients; begin with those that have not been started."""
        if self._group is None:
            return tuple(gradients)
        for loss, gradient in enumerate(gradients):
            # one that was dropped since, as an exception does, is not this one
            if loss not in self._started or self._started[loss].gradient is not gradient:
                self.start(loss, gradient)
        started = [self._started.pop(loss) for loss in range(len(gradients))]
        for loss, reduction in enumerate(started):
            reduction.work[0].wait()
            flags = zip(self._parameters, reduction.used.tolist(), strict=True)
            used = [name for name, flag in flags if flag]
            known = {*self._expected[loss]}
            self._send(reduction, [name for name in used if name not in known])
            self._expected[loss] = used
        return tuple(map(self._result, self._expected, started))

    def _send(self, reduction: Reduction, names: Iterable[str]) -> None:
        size = dist.get_world_size(self._group)
        for bucket in packed(names, self._parameters, reduction.gradient, size):
            reduction.buckets.append(bucket)
            reduction.work.append(dist.all_reduce(bucket.flat, group=self._group, async_op=True))

    def _result(self, used: Sequence[str], reduction: Reduction) -> Gathered:
        for work in reduction.work:
            work.wait()
        found = {n: x for bucket in reduction.buckets for n, x in bucket.leaves.items()}
        there = {*used}
        return {n: found[n] if n in there else None for n in self._parameters}


def _refuse_shards(parameters: Mapping[str, Tensor], group: dist.ProcessGroup) -> None:
    """Raise where the mean would be one of different parts of a parameter."""
    own = {*dist.get_process_group_ranks(group)}
    for name, parameter in parameters.items():
        for mesh, dim in axes_of(parameter):
            if len(own & {*dist.get_process_group_ranks(mesh.get_group(dim))}) > 1:
                raise ValueError(
                    f"average_over must be no group that parameters are sharded over; {name!r} is. "
                    "FSDP averages their gradients itself: leave average_over out"
                )
