"""Whether a checkpoint is one, and belongs to the model and method that it is loaded for."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from bloop_torch._parameters import unwrapped
from bloop_torch._shards import axes_of, is_sharded, local, summed

KEYS = ("method", "hyperparameters", "names", "absent", "count", "skipped", "memory", "scalars")


def check_format(state: Any, version: int) -> None:
    """Raise unless a state has the keys and the types of one."""
    if not isinstance(state, Mapping):
        raise TypeError(f"state must be what state_dict returns; found {type(state).__name__}")
    if "version" in state and state["version"] != version:
        raise ValueError(
            f"state must have version {version} of the format; found {state['version']!r}"
        )
    if missing := [key for key in ("version", *KEYS) if key not in state]:
        raise ValueError(f"state must be what state_dict returns; it lacks {missing}")
    kinds = dict.fromkeys(("names", "absent", "memory", "scalars"), (list, tuple))
    for key, kind in {**kinds, "hyperparameters": (Mapping,)}.items():
        if not isinstance(state[key], kind):
            found = type(state[key]).__name__
            raise TypeError(f"state[{key!r}] must be a {kind[0].__name__.lower()}; found {found}")


def check_names(found: Sequence[Any], required: Sequence[str]) -> None:
    """Raise unless a model has the same parameters in the same order, wrapped or not."""
    if bad := [name for name in found if not isinstance(name, str)]:
        raise TypeError(f"state['names'] must be strings; found {bad[0]!r}")
    names = unwrapped(found)
    if names == list(required):
        return
    lacking, unknown = sorted(set(required) - set(names)), sorted(set(names) - set(required))
    raise ValueError(
        "state must be of a model with the same parameters in the same order; "
        + (
            f"it lacks {lacking} and has {unknown} besides"
            if lacking or unknown
            else f"it has them in the order {names}, required {list(required)}"
        )
    )


def checked_counts(state: Mapping[str, Any]) -> int:
    """Return how many steps were skipped; raise unless both counters are such."""
    count, skipped = state["count"], state["skipped"]
    whole = isinstance(skipped, Tensor) and not (
        skipped.ndim or skipped.is_floating_point() or skipped.is_complex()
    )
    skipped = int(skipped) if whole else skipped
    for name, value in (("count", count), ("skipped", skipped)):
        if type(value) is not int:
            raise TypeError(f"state[{name!r}] must be an integer; found {value!r}")
    if not 0 <= skipped <= count:
        raise ValueError(
            f"state must have 0 <= skipped <= count; found skipped {skipped} of count {count} steps"
        )
    return skipped


def check_method(name: str, own: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Raise where the method, or an option of it that is no function, has changed."""
    stored = state["hyperparameters"]
    changed = [
        f"{key}={own[key]!r}, stored {stored.get(key)!r}"
        for key in own
        if own[key] != stored.get(key) and None not in (own[key], stored.get(key))
    ]
    if name != state["method"]:
        changed.insert(0, f"method {name}, stored {state['method']}")
    if changed:
        raise ValueError(
            f"state was saved with another method or other hyper-parameters: {'; '.join(changed)}. "
            "Pass on_change='keep' to go on with those of this object"
        )


def check_scalars(found: Sequence[Any], own: Sequence[Any]) -> None:
    """Raise unless what is remembered beside averages is like an object's own, and finite."""
    if len(found) != len(own):
        required, shapes = ([tuple(getattr(x, "shape", ())) for x in part] for part in (own, found))
        raise ValueError(f"state must hold scalars of these shapes: {required}; found {shapes}")
    pairs = {
        f"state['scalars'][{k}]": (x, y) for k, (x, y) in enumerate(zip(found, own, strict=True))
    }
    for name, (x, y) in pairs.items():
        if isinstance(y, Tensor):
            _check_like(name, x, y)
        elif type(x) is not type(y):
            raise TypeError(f"{name} must be {type(y).__name__}; found {type(x).__name__}")
    _check_finite({name: x for name, (x, _) in pairs.items() if isinstance(x, Tensor)})


def checked_memory(
    state: Mapping[str, Any], parameters: Mapping[str, Tensor], vectors: int
) -> list[dict[str, Tensor]]:
    """Return the averages by unwrapped name, without those that are none yet.

    Raises where one is missing, or is no average of that parameter.
    """
    stored, absent = state["memory"], state["absent"]
    if (len(stored), len(absent)) != (vectors, vectors):
        raise ValueError(
            f"state must hold {vectors} averages, and as many lists of absent ones; found "
            f"{len(stored)} and {len(absent)}"
        )
    names = dict(zip(state["names"], unwrapped(state["names"]), strict=True))
    memory = [
        _checked_vector(f"state['memory'][{m}]", vector, without, names, parameters)
        for m, (vector, without) in enumerate(zip(stored, absent, strict=True))
    ]
    _check_finite(
        {
            f"state['memory'][{m}][{name!r}]": x
            for m, v in enumerate(memory)
            for name, x in v.items()
        }
    )
    return memory


def _checked_vector(
    label: str,
    vector: Any,
    absent: Any,
    names: Mapping[str, str],
    parameters: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    if not isinstance(vector, Mapping) or not isinstance(absent, list | tuple):
        kinds = type(vector).__name__, type(absent).__name__
        raise TypeError(
            f"{label} must map names to tensors, and state['absent'] hold lists; found {kinds}"
        )
    if unknown := sorted({*vector, *absent} - set(names), key=str):
        raise ValueError(f"{label} must have averages of state['names'] alone; found {unknown}")
    if missing := [name for name in names if name not in vector and name not in absent]:
        raise ValueError(
            f"{label} must have an average of every parameter that state['absent'] does not "
            f"except; it lacks {missing}. torch.distributed.checkpoint loads none for parameters "
            "that do not require a gradient then"
        )
    for name, x in vector.items():
        _check_like(f"{label}[{name!r}]", x, parameters[names[name]])
    return {names[name]: x for name, x in vector.items() if name not in absent}


def _check_like(label: str, found: Any, model: Tensor) -> None:
    """Raise unless a tensor can be copied into one like another, and mean the same."""
    if not isinstance(found, Tensor):
        raise TypeError(f"{label} must be a tensor; found {type(found).__name__}")
    for what, has, required in (
        ("kind of dtype", _kind(found), _kind(model)),
        ("shape of the parameter", tuple(found.shape), tuple(model.shape)),
    ):
        if has != required:
            raise ValueError(f"{label} must have the {what}, {required}; found {has}")
    meshes = [x.device_mesh if is_sharded(x) else None for x in (found, model)]
    if meshes[0] != meshes[1]:
        raise ValueError(
            f"{label} must be placed on the device mesh of the parameter, {meshes[1]}; found "
            f"{meshes[0]}. torch.distributed.checkpoint loads across meshes"
        )


def _kind(x: Tensor) -> str:
    return "complex" if x.is_complex() else "real" if x.is_floating_point() else str(x.dtype)


def _check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise where an entry is NaN or infinite, on whatever process it lies."""
    axes = [axes_of(x) for x in tensors.values()]
    bad = [int((~torch.isfinite(local(x))).sum()) for x in tensors.values()]
    device = next((found[0][0].device_type for found in axes if found), "cpu")
    counts = {
        kind: torch.tensor(
            [n * (found == kind) for n, found in zip(bad, axes, strict=True)], device=device
        )
        for kind in dict.fromkeys(axes)
    }
    totals = summed(counts).tolist() if counts else []
    for name, total in zip(tensors, totals, strict=True):
        if total:
            raise ValueError(f"{name} must be finite; found {total} entries of NaN or infinity")
