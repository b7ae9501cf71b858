"""The parameters of a model by name, each once."""

import weakref
from collections.abc import Container, Iterable, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

Parameters: TypeAlias = Iterable[Tensor | tuple[str, Tensor] | Mapping[str, Any]]
"""``model.parameters()``, ``model.named_parameters()``, or an optimiser's ``param_groups``."""


WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""What torch.compile, FSDP and activation checkpointing put into the names of parameters."""


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
