"""The parameters of a model by name, each once."""

import weakref
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

Parameters: TypeAlias = Iterable[Tensor | tuple[str, Tensor] | Mapping[str, Any]]
"""``model.parameters()``, ``model.named_parameters()``, or an optimiser's ``param_groups``."""


def named(params: Parameters) -> dict[str, Tensor]:
    """Return the parameters by name; numbers are the names of those that have none.

    A parameter that is tied to another, so that it comes twice, counts once.
    """
    if isinstance(params, Tensor | Optimizer):
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
        raise ValueError("params must hold at least one parameter; found none")
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


def refuse_lbfgs(parameters: Mapping[str, Tensor], owner: object) -> None:
    """Make L-BFGS raise where it would step on some parameters, for as long as an owner lives.

    Its line search calls the loss at many points within one step, and would either average all
    their gradients or overwrite the direction.
    """
    own, name = {id(parameter) for parameter in parameters.values()}, type(owner).__name__

    def hook(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        del args, kwargs
        if torch.compiler.is_compiling() or not isinstance(optimizer, torch.optim.LBFGS):
            return
        if any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
            raise TypeError(
                f"L-BFGS cannot step on parameters that {name} gives the direction of: its line "
                "search evaluates the loss many times a step and needs that loss's own gradient. "
                "Use an optimiser that reads .grad once per step (SGD, Adam, ...)"
            )

    weakref.finalize(owner, register_optimizer_step_pre_hook(hook).remove)
