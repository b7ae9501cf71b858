"""Every state that is none, or not this object's, is refused by name, and nothing has changed."""

from typing import Any

import numpy as np
import optree
import pytest
import torch
from torch import nn

from bloop_ref.surgery import MetaBalance
from bloop_torch import Bloop, Surgery
from bloop_torch.flat import flatten, unflatten
from tests.torch.models import batches, make, two_losses

BIAS = "trunk.bias"


def average(value: Any) -> Any:
    """Return a change of an average."""

    def change(state: Any) -> None:
        state["memory"][0][BIAS] = value

    return change


def entry(key: str, value: Any) -> Any:
    """Return a change of an entry of a state."""

    def change(state: Any) -> None:
        state[key] = value

    return change


def without(key: str, *name: Any) -> Any:
    def change(state: Any) -> None:
        (state["memory"][0] if name else state).pop(name[0] if name else key)

    return change


def at(x: torch.Tensor, value: float) -> torch.Tensor:
    x[1] = value
    return x


REFUSED = [
    (
        average(at(torch.ones(4), torch.nan)),
        ValueError,
        r"\['trunk.bias'\] must be finite; found 1",
    ),
    (average(at(torch.ones(4), torch.inf)), ValueError, "must be finite"),
    (average(torch.ones(4, dtype=torch.complex64)), ValueError, "real; found complex"),
    (average(torch.ones(4, dtype=torch.int64)), ValueError, "real; found torch.int64"),
    (average(torch.ones(7)), ValueError, r"shape of the parameter, \(4,\); found \(7,\)"),
    (average(np.ones(4)), TypeError, "must be a tensor; found ndarray"),
    (average(None), TypeError, "must be a tensor; found NoneType"),
    (without("memory", BIAS), ValueError, r"it lacks \['trunk.bias'\]"),
    (entry("memory", [{}]), ValueError, r"it lacks \['trunk.weight', 'trunk.bias',"),
    (entry("memory", []), ValueError, "must hold 1 averages, .* found 0 and 1"),
    (entry("memory", {}), TypeError, r"state\['memory'\] must be a list; found dict"),
    (entry("memory", [[]]), TypeError, "must map names to tensors"),
    (entry("absent", [["other"]]), ValueError, r"averages of state\['names'\] alone; .*'other'"),
    (entry("absent", []), ValueError, "found 1 and 0"),
    (entry("absent", [None]), TypeError, r"state\['absent'\] hold lists"),
    (entry("count", -1), ValueError, "0 <= skipped <= count; found skipped 0 of count -1"),
    (entry("count", 1.0), TypeError, r"state\['count'\] must be an integer; found 1.0"),
    (entry("count", True), TypeError, "must be an integer"),
    (entry("skipped", torch.tensor(3)), ValueError, "found skipped 3 of count 1"),
    (entry("skipped", torch.tensor(-1)), ValueError, "found skipped -1"),
    (entry("skipped", torch.tensor(0.0)), TypeError, r"state\['skipped'\] must be an integer"),
    (entry("skipped", None), TypeError, r"state\['skipped'\] must be an integer; found None"),
    (
        entry("scalars", [torch.tensor(1.0)]),
        ValueError,
        r"scalars of these shapes: \[\]; found \[\(\)\]",
    ),
    (entry("names", [1, 2]), TypeError, r"state\['names'\] must be strings; found 1"),
    (entry("hyperparameters", ["lam"]), TypeError, "must be a mapping; found list"),
    (without("absent"), ValueError, r"it lacks \['absent'\]"),
]


@pytest.mark.parametrize(("change", "error", "message"), REFUSED, ids=[x[2] for x in REFUSED])
def test_a_bad_state_is_refused_and_nothing_changes(change: Any, error: Any, message: str) -> None:
    model = two_losses()
    bloop = make(model)
    (x,) = batches(1)
    bloop.backward(*model(x))
    before, state = bloop.state_dict(), bloop.state_dict()
    change(state)
    with pytest.raises(error, match=message):
        bloop.load_state_dict(state)
    after = bloop.state_dict()
    pairs = zip(*(optree.tree_leaves(s["memory"]) for s in (before, after)), strict=True)
    assert all(torch.equal(x, y) for x, y in pairs)
    assert [after[key] for key in ("count", "skipped", "absent")] == [1, 0, before["absent"]]


@pytest.mark.parametrize("found", [None, [], "state"])
def test_what_is_no_state_is_refused(found: Any) -> None:
    with pytest.raises(TypeError, match="state must be what state_dict returns; found"):
        make(two_losses()).load_state_dict(found)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (torch.tensor(torch.nan, dtype=torch.float64), ValueError, "must be finite"),
        (torch.tensor(1), ValueError, "real; found torch.int64"),
        (torch.ones(2, dtype=torch.float64), ValueError, r"\(\); found \(2,\)"),
        (1.0, TypeError, "must be a tensor; found float"),
    ],
)
def test_bad_scalars_are_refused(value: Any, error: Any, message: str) -> None:
    surgery = Surgery([nn.Parameter(torch.ones(2))], MetaBalance())
    state = surgery.state_dict()
    state["scalars"][0] = value
    with pytest.raises(error, match=rf"state\['scalars'\]\[0\].*{message}"):
        surgery.load_state_dict(state)


def test_a_real_average_of_a_complex_parameter_is_refused() -> None:
    bloop = Bloop([nn.Parameter(torch.ones(2, dtype=torch.complex64))], lam=1.0, rho=0.5)
    state = bloop.state_dict()
    state["memory"][0]["0"] = torch.ones(2)
    with pytest.raises(ValueError, match="complex; found real"):
        bloop.load_state_dict(state | {"absent": [[]]})


def test_a_flat_state_is_whole() -> None:
    bloop = make(two_losses())
    tensors, strings = flatten(bloop.state_dict())
    with pytest.raises(ValueError, match="strings must have what flatten returned, 'bloop_torch'"):
        unflatten(tensors, {"format": "pt"})
    tensors.pop("memory.0.trunk.bias")
    with pytest.raises(ValueError, match=r"it lacks \['trunk.bias'\]"):
        bloop.load_state_dict(unflatten(tensors, strings) | {"absent": [[]]})
    tensors.pop("skipped")
    with pytest.raises(ValueError, match=r"they lack \['skipped'\]"):
        unflatten(tensors, strings)
