"""Gradients of many leaves in a few flat pieces of memory, for collectives that take one tensor."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from bloop_torch._gradients import Gathered
from bloop_torch._shards import is_sharded, local, spread

MOST_BYTES = 25 * 2**20
"""How large a bucket gets, unless one leaf is larger: DDP's own default."""
ALIGNED = 64
"""Leaves begin at multiples of so many bytes, as kernels like them."""


@dataclass(frozen=True)
class Bucket:
    """A flat piece of memory, and the gradients that are views of it."""

    flat: Tensor
    leaves: Mapping[str, Tensor]


def packed(
    names: Iterable[str], parameters: Mapping[str, Tensor], gradient: Gathered, divisor: int
) -> Iterator[Bucket]:
    """Yield buckets with the gradients of some parameters, divided; a missing one is zero.

    The layout follows from the parameters alone, and is the same in every process. ``gradient``
    loses each leaf as soon as that is copied: no more than one bucket is there besides. A leaf that
    has a bucket to itself is not copied.
    """
    for group in _groups({name: parameters[name] for name in names}):
        flat, start = _memory(group, gradient), 0
        leaves: dict[str, Tensor] = {}
        for name, parameter in group.items():
            part, leaf = local(parameter), _part(gradient[name], parameter)
            view = flat.as_strided(part.size(), _strides(part), flat.storage_offset() + start)
            if leaf is None:
                view.zero_()
            else:
                torch.div(leaf, divisor, out=view)
            gradient[name] = None
            leaves[name] = spread(view, like=parameter)
            start += _room(part)
        yield Bucket(flat, leaves)


def _groups(parameters: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Yield parameters together that have one dtype and device, as many as a bucket holds."""
    kinds: dict[object, dict[str, Tensor]] = {}
    for name, parameter in parameters.items():
        kinds.setdefault((parameter.dtype, parameter.device), {})[name] = parameter
    for kind in kinds.values():
        group: dict[str, Tensor] = {}
        size = 0
        for name, parameter in kind.items():
            more = _room(local(parameter)) * parameter.element_size()
            if group and size + more > MOST_BYTES:
                yield group
                group, size = {}, 0
            group[name] = parameter
            size += more
        yield group


def _memory(group: Mapping[str, Tensor], gradient: Gathered) -> Tensor:
    """Return memory for the gradients of a group: that of the gradient where there is only one."""
    parts = [local(parameter) for parameter in group.values()]
    if len(parts) == 1:
        ((name, parameter),) = group.items()
        leaf = _part(gradient[name], parameter)
        if leaf is not None and leaf.stride() == _strides(parts[0]):
            return leaf.as_strided((leaf.numel(),), (1,))
    # as much in a process that has the one gradient as in one that has not
    size = sum(map(_room, parts[:-1])) + parts[-1].numel()
    return parts[0].new_empty(size)


def _part(leaf: Tensor | None, parameter: Tensor) -> Tensor | None:
    """Return this process's part of a gradient, placed as its parameter is."""
    if leaf is not None and is_sharded(leaf) and is_sharded(parameter):
        leaf = leaf.redistribute(placements=parameter.placements)
    return local(leaf)


def _room(part: Tensor) -> int:
    """Return how many entries of a bucket a leaf takes, with the gap behind it."""
    step = max(1, ALIGNED // part.element_size())
    return -(-part.numel() // step) * step


def _strides(part: Tensor) -> tuple[int, ...]:
    """Return the strides of a dense tensor that lies in memory as another one does."""
    return part.stride() if part.is_contiguous() else torch.empty_like(part, device="meta").stride()
