"""Tensors spread over processes: their local parts, and where these must be added up.

An inner product of sharded vectors is the sum of the inner products of the shards. What is
replicated counts once: sums go over those dimensions of a device mesh that a leaf is sharded over,
and no others.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, overload

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh

from bloop_torch._leaves import PLAIN, Row

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor
    from typing_extensions import TypeIs

Axis: TypeAlias = tuple[DeviceMesh, int]
Axes: TypeAlias = tuple[Axis, ...]
"""The mesh dimensions that a leaf is sharded over; empty for what every process has whole."""


def axes_of(leaf: Tensor | None) -> Axes:
    """Return the mesh dimensions over which the entries of a tensor are spread."""
    if leaf is None or not is_sharded(leaf):
        return ()
    placements = enumerate(leaf.placements)
    return tuple((leaf.device_mesh, dim) for dim, place in placements if not place.is_replicate())


def agreed(row: Row, names: Sequence[str]) -> Row:
    """Return a row whose sharded leaves are all placed like the last one that is there.

    A gradient that is still a partial sum is reduced, as its optimiser would have to.

    Raises ``ValueError`` where sharded and plain tensors, or meshes, are mixed.
    """
    if not any(x is not None and is_sharded(x) for x in row):
        return row
    from torch.distributed.tensor import Partial, Replicate

    sharded = {n: x for n, x in zip(names, row, strict=True) if x is not None and is_sharded(x)}
    model_name, model = list(sharded.items())[-1]
    for name, x in zip(names, row, strict=True):
        if x is not None and name not in sharded:
            raise ValueError(
                f"{name} must be sharded (DTensor) as {model_name} is; found {type(x).__name__}"
            )
    for name, shard in sharded.items():
        if shard.device_mesh != model.device_mesh:
            raise ValueError(
                f"{name} must have the device mesh of {model_name}: "
                f"required {model.device_mesh}, found {shard.device_mesh}"
            )
    places = [Replicate() if isinstance(p, Partial) else p for p in model.placements]
    placed = {name: shard.redistribute(placements=places) for name, shard in sharded.items()}
    return tuple(placed.get(name) for name in names)


def is_sharded(leaf: Tensor) -> "TypeIs[DTensor]":
    """Whether a tensor is spread over processes."""
    if type(leaf) in PLAIN:
        return False
    # importing this takes as long as importing half of torch: only where a leaf may be one
    from torch.distributed.tensor import DTensor

    return isinstance(leaf, DTensor)


@overload
def local(leaf: Tensor) -> Tensor: ...


@overload
def local(leaf: None) -> None: ...


@overload
def local(leaf: Tensor | None) -> Tensor | None: ...


def local(leaf: Tensor | None) -> Tensor | None:
    """Return the part of a tensor that this process has."""
    return leaf.to_local() if leaf is not None and is_sharded(leaf) else leaf


@overload
def spread(part: Tensor, *, like: Tensor | None) -> Tensor: ...


@overload
def spread(part: Tensor | None, *, like: Tensor | None) -> Tensor | None: ...


def spread(part: Tensor | None, *, like: Tensor | None) -> Tensor | None:
    """Return the tensor of which this process has a part, placed like another one."""
    if part is None or like is None or not is_sharded(like):
        return part
    from torch.distributed.tensor import DTensor

    return DTensor.from_local(
        part,
        like.device_mesh,
        like.placements,
        run_check=False,
        shape=like.shape,
        stride=like.stride(),
    )


def summed(sums: Mapping[Axes, Tensor]) -> Tensor:
    """Return the sum of some scalars over all leaves and all processes that have a part of them.

    Every process group sees one all-reduce, of as many scalars as there are kinds of leaves in it.

    Args:
        sums: the scalars of this process, by the axes of the leaves that they were summed over.
    """
    totals = dict(sums)
    for axis in dict.fromkeys(axis for axes in sums for axis in axes):
        mesh, dim = axis
        spread = [axes for axes in sums if axis in axes]
        together = torch.stack([totals[axes] for axes in spread])
        dist.all_reduce(together, group=mesh.get_group(dim))
        totals.update(zip(spread, together.unbind(), strict=True))
    return torch.stack(list(totals.values())).sum(0)
