import copy
import io
from fractions import Fraction
from typing import Any

import numpy as np
import optree
import pytest
import torch
from torch import nn

from bloop_ref import HierarchicalBloop
from bloop_torch import Bloop, Surgery
from tests.torch.models import batches, two_losses

OPTIONS: dict[str, Any] = {"lam": 0.5, "rho": 0.25}


def run(inputs: Any, bloop: Any, model: Any, optimizer: Any) -> Any:
    for x in inputs:
        bloop.backward(*model(x))
        optimizer.step()


def through_a_file(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def begin(**options: Any) -> Any:
    model = two_losses()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    return Bloop(model.named_parameters(), **OPTIONS | options), model, optimizer


@pytest.mark.parametrize("options", [{}, {"init": "first", "project_on": "updated"}], ids=str)
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(options: Any) -> None:
    inputs = list(batches(7))
    whole = begin(**options)
    run(inputs, *whole)
    first = begin(**options)
    run(inputs[:3], *first)
    second = begin(**options)
    states = through_a_file([part.state_dict() for part in first])
    for part, state in zip(second, states, strict=True):
        part.load_state_dict(state)
    run(inputs[3:], *second)
    for p, q in zip(whole[1].parameters(), second[1].parameters(), strict=True):
        assert torch.equal(p, q)
        assert torch.equal(p.grad, q.grad)
    for name, e in whole[0].ema.items():
        assert torch.equal(e, second[0].ema[name])
    assert whole[0].count == second[0].count


def test_a_state_is_copied_when_it_is_loaded() -> None:
    bloop, model, optimizer = begin()
    run(batches(1), bloop, model, optimizer)
    other, *_ = begin()
    other.load_state_dict(bloop.state_dict())
    for name, e in bloop.ema.items():
        assert e.data_ptr() != other.ema[name].data_ptr()
    assert bloop.skipped.data_ptr() != other.skipped.data_ptr()


def test_a_state_is_a_snapshot() -> None:
    bloop, model, optimizer = begin()
    first, second, third = batches(3)
    run([first], bloop, model, optimizer)
    best = bloop.state_dict()
    copies = copy.deepcopy(best)
    run([second], bloop, model, optimizer)
    run([torch.nan * third], bloop, model, optimizer)
    assert bloop.skipped == 1
    assert best["count"] == 1
    assert best.pop("skipped") == copies.pop("skipped")
    for part in ("memory", "scalars"):
        pairs = zip(*(optree.tree_leaves(x.pop(part)) for x in (best, copies)), strict=True)
        assert all(torch.equal(x, y) for x, y in pairs)
    assert best == copies


def test_hyper_parameters_are_not_overridden_in_silence() -> None:
    bloop, *_ = begin()
    state = bloop.state_dict()
    other, *_ = begin(lam=2.0, project_on="updated")
    with pytest.raises(ValueError, match=r"lam=2\.0, stored 0\.5.*project_on"):
        other.load_state_dict(state)
    other.load_state_dict(state, on_change="keep")
    assert other.method.lam == 2.0
    scheduled, *_ = begin(lam=lambda count: 1.0)
    scheduled.load_state_dict(state)


def test_a_state_of_another_model_is_refused() -> None:
    bloop, *_ = begin()
    other = Bloop([("w", nn.Parameter(torch.ones(2)))], **OPTIONS)
    with pytest.raises(ValueError, match=r"lacks \['w'\]"):
        other.load_state_dict(bloop.state_dict())
    bloop, model, optimizer = begin()
    run(batches(1), bloop, model, optimizer)
    state = bloop.state_dict()
    state["memory"][0]["trunk.bias"] = torch.ones(7)
    with pytest.raises(ValueError, match="must have the shape of the parameter"):
        bloop.load_state_dict(state)


def test_a_state_of_another_format_is_refused() -> None:
    bloop, *_ = begin()
    with pytest.raises(ValueError, match="it lacks"):
        bloop.load_state_dict({"memory": []})
    for version in (2, "3", None):
        with pytest.raises(ValueError, match=f"must have version 3 .*; found {version!r}"):
            bloop.load_state_dict(bloop.state_dict() | {"version": version})
    with pytest.raises(ValueError, match="on_change"):
        bloop.load_state_dict(bloop.state_dict(), on_change="load")


def test_a_state_is_taken_between_steps() -> None:
    bloop, model, _ = begin()
    (x,) = batches(1)
    bloop.accumulate(*model(x))
    with pytest.raises(RuntimeError, match="between steps"):
        bloop.state_dict()


@pytest.mark.parametrize(
    "number", [np.float64(0.5), np.float32(0.5), np.array(0.5), torch.tensor(0.5), Fraction(1, 2)]
)
def test_options_are_plain_values_whatever_they_were(number: Any) -> None:
    bloop, *_ = begin(lam=number, rho=number, ema_dtype=torch.float64)
    options = through_a_file(bloop.state_dict())["hyperparameters"]
    assert [options[name] for name in ("lam", "rho")] == [0.5, 0.5]
    assert {type(x) for x in options.values()} <= {float, int, str, bool, type(None)}
    other, *_ = begin(rho=0.5, ema_dtype=torch.float64)
    other.load_state_dict(bloop.state_dict())


def test_whole_numbers_and_truths_are_plain_too() -> None:
    bloop, *_ = begin(lam=np.int64(2), rescale=np.bool_(True))
    options = through_a_file(bloop.state_dict())["hyperparameters"]
    assert [(type(options[name]), options[name]) for name in ("lam", "rescale")] == [
        (int, 2),
        (bool, True),
    ]


def test_a_hierarchy_with_a_schedule_goes_on_in_another_process() -> None:
    def surgery() -> Surgery:
        # as in another process, the function is another object
        method = HierarchicalBloop([lambda count: 1 / (1 + count), 0.5], rho=0.25)
        return Surgery([nn.Parameter(torch.ones(2))], method, losses=3)

    first, second = surgery(), surgery()
    (weight,) = first.parameters.values()
    first.backward(*(weight @ torch.tensor(g) for g in ([1.0, 0.0], [1.0, 1.0], [0.0, 1.0])))
    second.load_state_dict(first.state_dict())
    for own, loaded in zip(first.state.memory, second.state.memory, strict=True):
        assert torch.equal(own[0], loaded[0])
