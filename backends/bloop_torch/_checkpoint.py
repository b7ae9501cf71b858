"""What a checkpoint holds: a snapshot of tensors by name, and plain values beside them.

It is laid out for ``torch.distributed.checkpoint``, which loads into the tensors that the state of
a fresh object offers: so every parameter that can get an average has a tensor in it, and which of
these are no averages yet is said in words.
"""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import optree
import torch
from torch import Tensor

from bloop_ref.gram_method import GramMethod
from bloop_ref.method import Method
from bloop_ref.scalars import check_choice
from bloop_torch import _state
from bloop_torch._hyperparameters import inner
from bloop_torch._memory import zeros
from bloop_torch._parameters import unwrapped
from bloop_torch._shards import is_sharded

if TYPE_CHECKING:
    from bloop_torch.surgery import Surgery

VERSION = 3


def saved(owner: "Surgery") -> dict[str, Any]:
    """Return a state: averages by name, what else is remembered in a list, counters, options."""
    names, vectors = unwrapped(owner.parameters), _vectors(owner)
    return {
        "version": VERSION,
        "method": type(owner.method).__name__,
        "hyperparameters": plain(owner.method),
        "names": names,
        "absent": [
            [name for name, x in zip(names, vector, strict=True) if x is None] for vector in vectors
        ],
        "count": owner.count,
        "skipped": owner.skipped.clone(),
        "memory": [_offered(owner, names, vector) for vector in vectors],
        "scalars": [
            x.clone() if isinstance(x, Tensor) else x for x in optree.tree_leaves(_rest(owner))
        ],
    }


def load(owner: "Surgery", state: Mapping[str, Any], on_change: str) -> None:
    """Go on from a state; see ``Surgery.load_state_dict``. Nothing changes where it raises."""
    _state.check_format(state, VERSION)
    names = unwrapped(owner.parameters)
    _state.check_names(state["names"], names)
    skipped = _state.checked_counts(state)
    check_choice("on_change", on_change, ("raise", "keep"))
    if on_change == "raise":
        _state.check_method(type(owner.method).__name__, plain(owner.method), state)
    own, spec = optree.tree_flatten(_rest(owner))
    _state.check_scalars(state["scalars"], own)
    like = dict(zip(names, owner.parameters.values(), strict=True))
    memory = _state.checked_memory(state, like, len(_vectors(owner)))
    pairs = zip(own, state["scalars"], strict=True)
    leaves = [torch.empty_like(x).copy_(y) if isinstance(x, Tensor) else y for x, y in pairs]
    rest = optree.tree_unflatten(spec, leaves)
    if isinstance(owner.method, GramMethod):
        placed = tuple(
            [_placed(owner, like[name], vector.get(name)) for name in names] for vector in memory
        )
        rest = owner.state._replace(memory=placed, scalars=rest)
    owner.state = rest
    owner.count = state["count"]
    owner.skipped.fill_(skipped)
    owner._moved = owner.count > skipped
    owner._fresh = any(inner(owner.method).starts(owner.losses)) and not owner._moved
    owner._replicas.start_over()


def _vectors(owner: "Surgery") -> Sequence[Sequence[Tensor | None]]:
    """Return what is remembered by parameter."""
    return owner.state.memory if isinstance(owner.method, GramMethod) else ()


def _rest(owner: "Surgery") -> Any:
    """Return what is remembered beside that."""
    return owner.state.scalars if isinstance(owner.method, GramMethod) else owner.state


def _offered(
    owner: "Surgery", names: Sequence[str], vector: Sequence[Tensor | None]
) -> dict[str, Tensor]:
    """Return copies of the averages, and zeros to load into where there may be one some time."""
    offered = {}
    for name, parameter, x in zip(names, owner.parameters.values(), vector, strict=True):
        if x is not None:
            offered[name] = x.clone()
        elif parameter.requires_grad:
            offered[name] = zeros(parameter, owner.method)
    return offered


def _placed(owner: "Surgery", parameter: Tensor, stored: Tensor | None) -> Tensor | None:
    """Return an average of this object's dtype, placed as the parameter is."""
    if stored is None:
        return None
    own = zeros(parameter, owner.method)
    if is_sharded(own) and is_sharded(stored):
        stored = stored.redistribute(placements=own.placements)
    return own.copy_(stored)


def plain(method: Method) -> dict[str, Any]:
    """Return the options of a method as values that a checkpoint can hold; ``None`` for a function.

    Anything else would have an address in its name, or a class that a safe loader refuses.
    """
    return {name: _plain(value) for name, value in vars(method).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Method):
        return {"method": type(value).__name__, **plain(value)}
    if hasattr(value, "tolist"):  # tensors, NumPy's scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(x) for x in value]
    if isinstance(value, bool):
        return value
    for kind in (int, str):  # and nothing derived from them
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Real):
        return float(value)
    return str(value) if isinstance(value, torch.dtype) else None
