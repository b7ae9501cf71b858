"""Whether processes that train one model have its gradients averaged: they compare, once or often.

A process whose gradients nothing averages trains by itself: the replicas drift apart, and nothing
in any one process shows it.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import optree
import torch
import torch.distributed as dist
from torch import Tensor

from bloop_ref.method import Method
from bloop_torch._checkpoint import plain
from bloop_torch._gradients import Gathered
from bloop_torch._parameters import unwrapped
from bloop_torch._shards import is_sharded

When: TypeAlias = Literal["first", "never"] | int

CHUNK = 2**20
"""How many entries are turned into integers at a time: 24 MiB."""
MENDS = (
    "All gradients must be averaged over processes before they are combined. Pass "
    "average_over=group and keep DDP out (with ddp.no_sync(): ...), or give every loss a forward "
    "pass in a phase of its own, whose backward pass DDP averages. Where processes are to train "
    "differently, pass compare_ranks='never'"
)
WHAT = {
    "parameters": f"were the same and differ now. {MENDS}",
    "states of the method": "differ, in averages, counters or options. Load the same state in all, "
    "and give all the same method",
    "gradients": f"differ, where the parameters are the same. {MENDS}",
}


class Replicas:
    """The comparison of the processes of a group, those that have had the same parameters.

    One all-gather of three integers each. Processes whose parameters differ from the start train
    other models, or other parts of one, and are not compared; nor is anything that is sharded,
    where the layout of a tensor says who sums what.
    """

    def __init__(self, when: When, group: dist.ProcessGroup | None) -> None:
        """Compare at the first step, never, or at the first and every so many; by default all."""
        if when not in ("first", "never") and (type(when) is not int or when < 1):
            raise ValueError(
                f"compare_ranks must be 'first', 'never' or a number of steps; found {when!r}"
            )
        self._when, self._group = when, group
        self._models: list[int] = []
        self.start_over()

    def start_over(self) -> None:
        """Compare at the next step, whatever its number: a state was loaded."""
        self._first = self._when != "never"

    def compare(
        self,
        count: int,
        parameters: Mapping[str, Tensor],
        method: Method,
        state: Any,
        gradients: Sequence[Gathered],
    ) -> None:
        """Raise ``RuntimeError`` in all processes where those that are alike do not agree."""
        often = type(self._when) is int and count % self._when == 0
        if not (self._first or often):
            return
        if _has_others(parameters, self._group):
            read = [leaf for gradient in gradients for leaf in gradient.values()]
            remembered = optree.tree_leaves(state, none_is_leaf=True)
            sums = (
                _checksum_of_model(parameters),
                _checksum(remembered, repr((count, plain(method)))),
                _checksum(read, ""),
            )
            found = _exchanged(torch.stack(sums), self._group)
            self._models = self._models or [row[0] for row in found]
            _require_agreement(found, self._models)
        # where it raises, the next step compares again
        self._first = False


def _has_others(parameters: Mapping[str, Tensor], group: dist.ProcessGroup | None) -> bool:
    """Whether there are other processes that can be asked, of what is whole in each of them."""
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size(group) < 2:
        return False
    device = next(iter(parameters.values())).device
    talks = f"{device.type}:" in str(dist.get_backend_config(group))
    return talks and not any(map(is_sharded, parameters.values()))


def _exchanged(own: Tensor, group: dist.ProcessGroup | None) -> list[list[int]]:
    """Return the integers of every process; they are waited for."""
    rows = [torch.empty_like(own) for _ in range(dist.get_world_size(group))]
    dist.all_gather(rows, own, group=group)
    return torch.stack(rows).tolist()


def _require_agreement(found: Sequence[Sequence[int]], models: Sequence[int]) -> None:
    """Raise where two processes of one model differ; all processes find the same."""
    for column, (what, how) in enumerate(WHAT.items()):
        for rank, row in enumerate(found):
            first = models.index(models[rank])
            if row[column] != found[first][column]:
                raise RuntimeError(
                    f"compare_ranks finds that the {what} of processes {first} and {rank} {how}"
                )


def _checksum_of_model(parameters: Mapping[str, Tensor]) -> Tensor:
    """Return one of all names, shapes and dtypes, and of the values of what is not frozen."""
    names = zip(unwrapped(parameters), parameters.values(), strict=True)
    kinds = [(name, *p.shape, str(p.dtype)) for name, p in names]
    return _checksum([p if p.requires_grad else None for p in parameters.values()], repr(kinds))


def _checksum(leaves: Iterable[Any], text: str) -> Tensor:
    """Return an integer of the bits of some tensors and a text, on the tensors' device.

    Modulo 2^64 the sum of all entries, as 32 bits or less, times odd numbers as if drawn for their
    places; ``None`` is zero. Two vectors with the same sum would have to be made for it.
    """
    tensors = [(k, x) for k, x in enumerate(leaves) if isinstance(x, Tensor)]
    device = tensors[0][1].device if tensors else None
    total = torch.tensor(zlib.crc32(text.encode()), device=device)
    for k, leaf in tensors:
        bits = _bits(leaf)
        weights = _weights(min(CHUNK, bits.numel()), leaf.device)
        for n, part in enumerate(torch.split(bits, CHUNK)):
            place = zlib.crc32(f"{k}, {n}".encode()) | 1
            total += place * (part * weights[: part.numel()]).sum().to(device)
    return total


def _weights(count: int, device: torch.device) -> Tensor:
    """Return odd numbers that follow no pattern (the steps of a common generator, mixed)."""
    steps = torch.arange(1, count + 1, device=device) * 6364136223846793005
    return ((steps ^ (steps >> 29)) * 1442695040888963407) | 1


def _bits(leaf: Tensor) -> Tensor:
    """Return the memory of a tensor as integers of at most 32 bits, in order of entries."""
    leaf = leaf.detach().resolve_conj().resolve_neg()
    real = torch.view_as_real(leaf) if leaf.is_complex() else leaf
    small = {1: torch.int8, 2: torch.int16}.get(real.element_size(), torch.int32)
    return real.reshape(-1).contiguous().view(small)
