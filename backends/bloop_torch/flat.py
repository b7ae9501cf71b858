"""A state as tensors and strings by name, for formats that hold nothing else, such as safetensors.

Example:
    >>> import torch
    >>> from bloop_torch import Bloop
    >>> from bloop_torch.flat import flatten, unflatten
    >>> weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    >>> bloop = Bloop([("weight", weight)], lam=0.5, rho=0.5)
    >>> tensors, strings = flatten(bloop.state_dict())
    >>> tensors
    {'skipped': tensor(0), 'memory.0.weight': tensor([0., 0.])}
    >>> bloop.load_state_dict(unflatten(tensors, strings))
"""

import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor

KEY = "bloop_torch"


def flatten(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a state by name, and all else as one string of JSON.

    The two are what ``safetensors.torch.save_file`` takes as ``tensors`` and ``metadata``.

    Args:
        state: what ``Surgery.state_dict`` returned, of a method whose numbers are all tensors, as
            those of every method of ``bloop_ref.surgery`` are.
    """
    tensors = {"skipped": state["skipped"]}
    for m, vector in enumerate(state["memory"]):
        # safetensors takes no other order of memory
        tensors |= {f"memory.{m}.{name}": x.contiguous() for name, x in vector.items()}
    tensors |= {f"scalars.{k}": x for k, x in enumerate(state["scalars"])}
    lengths = {"memory": len(state["memory"]), "scalars": len(state["scalars"])}
    rest = {key: x for key, x in state.items() if key not in ("skipped", *lengths)}
    return tensors, {KEY: json.dumps(rest | lengths)}


def unflatten(tensors: Mapping[str, Tensor], strings: Mapping[str, str]) -> dict[str, Any]:
    """Return the state that ``flatten`` was given; strings of other names are left alone.

    Raises ``ValueError`` where the string or a tensor of the state is missing.
    """
    if KEY not in strings:
        raise ValueError(f"strings must have what flatten returned, {KEY!r}; found {[*strings]}")
    state: dict[str, Any] = json.loads(strings[KEY])
    scalars = [f"scalars.{k}" for k in range(state["scalars"])]
    if missing := [name for name in ("skipped", *scalars) if name not in tensors]:
        raise ValueError(f"tensors must have those that flatten returned; they lack {missing}")
    memory: list[dict[str, Tensor]] = []
    for m in range(state["memory"]):
        prefix = f"memory.{m}."
        memory.append({n[len(prefix) :]: x for n, x in tensors.items() if n.startswith(prefix)})
    return state | {
        "skipped": tensors["skipped"],
        "memory": memory,
        "scalars": [tensors[name] for name in scalars],
    }
