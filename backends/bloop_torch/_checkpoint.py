"""What a checkpoint holds, and whether it belongs to the model and method that it is loaded for."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import optree
import torch
from torch import Tensor

from bloop_ref.gram_method import GramMethod
from bloop_ref.method import Method
from bloop_ref.scalars import check_choice
from bloop_torch._memory import zeros

if TYPE_CHECKING:
    from bloop_torch.surgery import Surgery

VERSION = 2
KEYS = ("version", "method", "hyperparameters", "names", "count", "skipped", "memory", "scalars")


def saved(owner: "Surgery") -> dict[str, Any]:
    """Return a state: averages by name, what else is remembered in a list, counters, options."""
    names, gram = list(owner.parameters), isinstance(owner.method, GramMethod)
    vectors = owner.state.memory if gram else ()
    return {
        "version": VERSION,
        "method": type(owner.method).__name__,
        "hyperparameters": plain(owner.method),
        "names": names,
        "count": owner.count,
        "skipped": owner.skipped,
        "memory": [
            {name: x for name, x in zip(names, vector, strict=True) if x is not None}
            for vector in vectors
        ],
        "scalars": optree.tree_leaves(owner.state.scalars if gram else owner.state),
    }


def load(owner: "Surgery", state: Mapping[str, Any], on_change: str) -> None:
    """Go on from a state; see ``Surgery.load_state_dict``. Nothing changes where it raises."""
    _check(owner, state, on_change)
    gram = isinstance(owner.method, GramMethod)
    own, spec = optree.tree_flatten(owner.state.scalars if gram else owner.state)
    pairs = zip(own, state["scalars"], strict=True)
    leaves = [torch.empty_like(x).copy_(y) if isinstance(x, Tensor) else y for x, y in pairs]
    rest = optree.tree_unflatten(spec, leaves)
    if gram:
        memory = tuple(
            [_placed(owner, name, vector.get(name)) for name in owner.parameters]
            for vector in state["memory"]
        )
        rest = owner.state._replace(memory=memory, scalars=rest)
    owner.state = rest
    owner.count = int(state["count"])
    owner.skipped.copy_(torch.as_tensor(state["skipped"]))
    owner._moved = owner.count > int(owner.skipped)
    owner._fresh = any(owner.method.starts(owner.losses)) and not owner._moved


def _placed(owner: "Surgery", name: str, stored: Tensor | None) -> Tensor | None:
    return None if stored is None else zeros(owner.parameters[name], owner.method).copy_(stored)


def plain(method: Method) -> dict[str, Any]:
    """Return the options of a method as values that a checkpoint can hold; ``None`` for a function.

    Anything else would have an address in its name, or a class that a safe loader refuses.
    """
    return {name: _plain(value) for name, value in vars(method).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Method):
        return {"method": type(value).__name__, **plain(value)}
    if isinstance(value, list | tuple):
        return [_plain(x) for x in value]
    if isinstance(value, bool | int | str | None):
        return value
    if isinstance(value, Tensor | Real):
        return float(value)
    return str(value) if isinstance(value, torch.dtype) else None


def _check(owner: "Surgery", state: Mapping[str, Any], on_change: str) -> None:
    if missing := [key for key in KEYS if key not in state]:
        raise ValueError(f"state must be what state_dict returns; it lacks {missing}")
    if state["version"] != VERSION:
        raise ValueError(
            f"state must have version {VERSION} of the format; found {state['version']!r}"
        )
    _check_names(list(state["names"]), list(owner.parameters))
    check_choice("on_change", on_change, ("raise", "keep"))
    own, stored = plain(owner.method), state["hyperparameters"]
    if on_change == "raise":
        _check_method(type(owner.method).__name__, own, state["method"], stored)
    gram = isinstance(owner.method, GramMethod)
    leaves = optree.tree_leaves(owner.state.scalars if gram else owner.state)
    required = len(owner.state.memory) if gram else 0, [_shape(x) for x in leaves]
    found = len(state["memory"]), [_shape(x) for x in state["scalars"]]
    if found != required:
        raise ValueError(
            f"state must hold so many averages, and scalars of these shapes: {required}; "
            f"found {found}"
        )
    for m, vector in enumerate(state["memory"]):
        for name, x in vector.items():
            if name not in owner.parameters or x.shape != owner.parameters[name].shape:
                shape = tuple(owner.parameters[name].shape) if name in owner.parameters else None
                raise ValueError(
                    f"state['memory'][{m}][{name!r}] must have the shape of the parameter, "
                    f"{shape}; found {tuple(x.shape)}"
                )


def _check_method(
    name: str, own: Mapping[str, Any], stored_name: str, stored: Mapping[str, Any]
) -> None:
    """Raise where the method, or an option of it that is no function, has changed."""
    changed = [
        f"{key}={own[key]!r}, stored {stored.get(key)!r}"
        for key in own
        if own[key] != stored.get(key) and None not in (own[key], stored.get(key))
    ]
    if name != stored_name:
        changed.insert(0, f"method {name}, stored {stored_name}")
    if changed:
        raise ValueError(
            f"state was saved with another method or other hyper-parameters: {'; '.join(changed)}. "
            "Pass on_change='keep' to go on with those of this object"
        )


def _check_names(found: Sequence[str], required: Sequence[str]) -> None:
    if found != required:
        lacking = sorted(set(required) - set(found))
        unknown = sorted(set(found) - set(required))
        raise ValueError(
            "state must be of a model with the same parameters in the same order; "
            f"it lacks {lacking} and has {unknown} besides"
        )


def _shape(leaf: Any) -> tuple[int, ...]:
    return tuple(leaf.shape) if isinstance(leaf, Tensor) else ()
