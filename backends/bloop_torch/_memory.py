"""What a method remembers of a model: averages that are made when a gradient enters them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from bloop_ref.gram_method import GramMethod
from bloop_ref.method import Method
from bloop_ref.scalars import is_nothing
from bloop_torch._gradients import Gathered
from bloop_torch._leaves import Row
from bloop_torch._shards import agreed, is_sharded
from bloop_torch.step import average_dtype


def start(method: Method, parameters: Sequence[Tensor], losses: int) -> Any:
    """Return the state before the first step; no average is there yet."""
    if not isinstance(method, GramMethod):
        return method.init([p.detach() for p in parameters], losses)
    like = torch.zeros(1, dtype=parameters[0].dtype, device=parameters[0].device)
    state = method.init(like, losses)
    return state._replace(memory=tuple([None] * len(parameters) for _ in state.memory))


def zeros(parameter: Tensor, method: Method) -> Tensor:
    """Return an average in which no gradient of a parameter is yet."""
    least: Any = method.memory_dtype
    dtype = average_dtype(parameter.dtype, least or torch.float32)
    return torch.zeros_like(parameter.detach(), dtype=dtype)


def rows(
    parameters: Mapping[str, Tensor],
    names: Sequence[str],
    gathered: Sequence[Gathered],
    method: Method,
    memory: Sequence[list[Tensor | None]],
) -> list[Row]:
    """Return the gradients and averages of every parameter, side by side.

    Gradients fit their parameter, by PyTorch's care. ``names`` are what the user calls them.

    Raises ``ValueError`` where a parameter has another shape or device than its average.
    """
    entering = _entering(method, len(gathered)) if memory else ()
    labels = [*names, *(f"memory[{m}]" for m in range(len(memory)))]
    found = []
    for k, (name, parameter) in enumerate(parameters.items()):
        gradients = [gradient[name] for gradient in gathered]
        for places, vector in zip(entering, memory, strict=True):
            if vector[k] is None and any(gradients[j] is not None for j in places):
                vector[k] = zeros(parameter, method)
        averages = [vector[k] for vector in memory]
        for average in averages:
            if average is not None:
                _check_place(name, parameter, average)
        row = (*gradients, *averages)
        if is_sharded(parameter):
            row = agreed(row, [f"{label}[{name!r}]" for label in labels])
        found.append(row)
    return found


def _entering(method: Method, losses: int) -> list[list[int]]:
    """Return for each remembered vector the gradients that enter it."""
    rows = method.memory(losses)
    return [[j for j in range(losses) if not is_nothing(row[j])] for row in rows]


def _check_place(name: str, parameter: Tensor, average: Tensor) -> None:
    if average.shape != parameter.shape or average.device != parameter.device:
        required, found = (f"{tuple(x.shape)} on {x.device}" for x in (average, parameter))
        raise ValueError(
            f"parameter {name!r} must stay as it was when its average began, {required}; found "
            f"{found}. Make the object anew after the model is moved or resized"
        )
