"""The parameters of a model by name, each once."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer

Parameters: TypeAlias = Iterable[Tensor | tuple[str, Tensor] | Mapping[str, Any]]
"""``model.parameters()``, ``model.named_parameters()``, or an optimiser's ``param_groups``."""


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
