"""Whether a checkpoint of ``IRE`` belongs to the optimiser that it is loaded for."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

VERSION = 1
KEYS = ("version", "hyperparameters", "count", "skipped", "mask", "score")


def check(
    state: Mapping[str, Any], parameters: Sequence[Tensor], options: Mapping[str, Any] | None
) -> None:
    """Raise unless a checkpoint fits parameters and, unless ``None``, hyper-parameters."""
    if lacking := [key for key in KEYS if key not in state]:
        raise ValueError(f"state must be what IRE.state_dict returns; it lacks {lacking}")
    if state["version"] != VERSION:
        raise ValueError(
            f"state must have version {VERSION} of the format; found {state['version']!r}"
        )
    required = [tuple(p.shape) for p in parameters]
    for name in ("mask", "score"):
        found = [None if x is None else tuple(x.shape) for x in state[name]]
        if len(found) != len(required) or any(
            x not in (None, y) for x, y in zip(found, required, strict=True)
        ):
            raise ValueError(
                f"state[{name!r}] must have the shapes of the optimiser's parameters, "
                f"{required}; found {found}"
            )
    stored = state["hyperparameters"]
    changed = [] if options is None else [n for n in options if options[n] != stored.get(n)]
    if changed:
        raise ValueError(
            f"state was saved with other hyper-parameters: {', '.join(changed)}. Pass "
            "on_change='keep' to go on with those of this object"
        )
