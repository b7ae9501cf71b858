"""What a checkpoint holds, and whether it belongs to the model that it is loaded for."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from torch import Tensor

from bloop_ref._scalars import check_choice
from bloop_ref.surgery import Method
from bloop_torch._options import Options

VERSION = 1
KEYS = ("version", "hyperparameters", "names", "count", "skipped", "ema")
SURGERY_KEYS = ("version", "method", "names", "count", "skipped", "state")

OnChange = Literal["raise", "keep"]


def check(
    state: Mapping[str, Any],
    parameters: Mapping[str, Tensor],
    options: Options,
    on_change: OnChange,
) -> None:
    """Raise unless a checkpoint fits parameters and options; see ``Bloop.load_state_dict``."""
    _check_format(state, KEYS, "Bloop", parameters)
    for name, stored in state["ema"].items():
        if stored.shape != parameters[name].shape:
            raise ValueError(
                f"state['ema'][{name!r}] must have the shape of the parameter, "
                f"{tuple(parameters[name].shape)}; found {tuple(stored.shape)}"
            )
    check_choice("on_change", on_change, ("raise", "keep"))
    if on_change == "raise":
        _check_options(state["hyperparameters"], options.plain())


def check_surgery(
    state: Mapping[str, Any],
    parameters: Mapping[str, Tensor],
    method: Method,
    own: Sequence[Any],
    on_change: OnChange,
) -> None:
    """Raise unless a checkpoint fits parameters and method; see ``Surgery.load_state_dict``.

    ``own`` are the leaves of the state that is to be replaced.
    """
    _check_format(state, SURGERY_KEYS, "Surgery", parameters)
    check_choice("on_change", on_change, ("raise", "keep"))
    if on_change == "raise" and state["method"] != repr(method):
        raise ValueError(
            f"state was saved with another method, {state['method']}; this object has {method!r}. "
            "Pass on_change='keep' to go on with that"
        )
    found, required = ([_shape(x) for x in leaves] for leaves in (state["state"], own))
    if found != required:
        raise ValueError(f"state['state'] must hold values of the shapes {required}; found {found}")


def _shape(leaf: Any) -> tuple[int, ...]:
    return tuple(leaf.shape) if isinstance(leaf, Tensor) else ()


def _check_format(
    state: Mapping[str, Any], keys: Sequence[str], owner: str, parameters: Mapping[str, Tensor]
) -> None:
    if missing := [key for key in keys if key not in state]:
        raise ValueError(f"state must be what {owner}.state_dict returns; it lacks {missing}")
    if state["version"] != VERSION:
        raise ValueError(
            f"state must have version {VERSION} of the format; found {state['version']!r}"
        )
    _check_names(list(state["names"]), list(parameters))


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
