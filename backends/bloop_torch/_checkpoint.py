"""What a checkpoint of ``Bloop`` holds, and whether it belongs to the model it is loaded for."""

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor

from bloop_torch._options import Options

VERSION = 1
KEYS = ("version", "hyperparameters", "names", "count", "skipped", "ema")

OnChange = Literal["raise", "keep"]


def check(
    state: Mapping[str, Any],
    parameters: Mapping[str, Tensor],
    options: Options,
    on_change: OnChange,
) -> None:
    """Raise unless a checkpoint fits parameters and options; see ``Bloop.load_state_dict``."""
    if missing := [key for key in KEYS if key not in state]:
        raise ValueError(f"state must be what Bloop.state_dict returns; it lacks {missing}")
    if state["version"] != VERSION:
        raise ValueError(
            f"state must have version {VERSION} of the format; found {state['version']!r}"
        )
    _check_names(list(state["names"]), list(parameters))
    for name, stored in state["ema"].items():
        if stored.shape != parameters[name].shape:
            raise ValueError(
                f"state['ema'][{name!r}] must have the shape of the parameter, "
                f"{tuple(parameters[name].shape)}; found {tuple(stored.shape)}"
            )
    if on_change not in ("raise", "keep"):
        raise ValueError(f"on_change must be 'raise' or 'keep'; found {on_change!r}")
    if on_change == "raise":
        _check_options(state["hyperparameters"], options.plain())


def _check_names(found: list[str], required: list[str]) -> None:
    if found != required:
        lacking = sorted(set(required) - set(found))
        unknown = sorted(set(found) - set(required))
        raise ValueError(
            "state must be of a model with the same parameters in the same order; "
            f"it lacks {lacking} and has {unknown} besides"
        )


def _check_options(stored: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raise where a hyper-parameter that is no function has changed."""
    changed = [
        f"{name}={own[name]!r}, stored {stored.get(name)!r}"
        for name in own
        if own[name] != stored.get(name) and None not in (own[name], stored.get(name))
    ]
    if changed:
        raise ValueError(
            f"state was saved with other hyper-parameters: {'; '.join(changed)}. Pass "
            "on_change='keep' to go on with those of this object"
        )
