"""The parameters of a model by name, each once."""

from collections.abc import Container, Iterable, Mapping
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

Parameters: TypeAlias = Iterable[Tensor | tuple[str, Tensor] | Mapping[str, Any]]
"""``model.parameters()``, ``model.named_parameters()``, or an optimiser's ``param_groups``."""


WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""What torch.compile, FSDP and activation checkpointing put into the names of parameters."""


def named(params: Parameters) -> dict[str, Tensor]:
    """Return the parameters by name; numbers are the names of those that have none.

    A parameter that is tied to another, so that it comes twice, counts once.
    """
    if isinstance(params, Tensor | Optimizer | nn.Module | Mapping) or not hasattr(
        params, "__iter__"
    ):
        raise TypeError(
            "params must be model.parameters(), model.named_parameters() or a list of parameter "
            f"groups; found {type(params).__name__}"
        )
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for position, (name, parameter) in enumerate(_entries(params)):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"params must hold tensors; found {type(parameter).__name__}")
        if not parameter.is_leaf:
            raise ValueError(f"params must be leaf tensors, whose .grad is kept; {name!r} is not")
        if getattr(parameter, "_fsdp_flattened", False):
            raise TypeError(
                f"params must not be of FullyShardedDataParallel (FSDP1): {name!r} is a piece of a "
                "parameter that does not say so, and inner products would be those of this "
                "process's pieces. Use fully_shard (FSDP2)"
            )
        if id(parameter) in seen:
            continue
        seen.add(id(parameter))
        key = str(position) if name is None else name
        if key in found:
            raise ValueError(f"params must have different names; found {key!r} twice")
        found[key] = parameter
    if not found:
        raise ValueError(
            "params must hold at least one parameter; found none: the generator that "
            "model.parameters() returns is empty once an optimiser has read it"
        )
    return found


def _entries(params: Parameters) -> Iterable[tuple[str | None, Any]]:
    for entry in params:
        if isinstance(entry, Mapping):
            group = entry["params"]
            names = entry.get("param_names")
            group = [group] if isinstance(group, Tensor) else group
            yield from zip(names, group, strict=True) if names else _entries(group)
        elif isinstance(entry, tuple):
            yield entry
        else:
            yield None, entry


def unwrapped(names: Iterable[str]) -> list[str]:
    """Return names as they were before the model, or a part of it, was wrapped.

    ``module``, which DDP puts in, is also a name that people give: it stays where two names would
    become one.
    """
    known = [_without(name, WRAPPERS) for name in names]
    bare = [_without(name, {"module"}) for name in known]
    return bare if len({*bare}) == len(bare) else known


def _without(name: str, words: Container[str]) -> str:
    *modules, parameter = name.split(".")
    return ".".join([*(word for word in modules if word not in words), parameter])
