"""A run with IRE is resumed to the last bit; what does not fit is refused."""

import io
from typing import Any

import pytest
import torch
from torch import nn

from bloop_torch.ire import IRE
from tests.torch.models import batches, two_losses
from tests.torch.test_ire import refresh, require_same, values


def test_removed_it_leaves_the_optimiser_as_it_was() -> None:
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    ire = IRE(optimizer, kappa=9.0, fraction=1.0)
    ire.refresh([torch.ones(1)])
    ire.remove()
    weight.grad = torch.full((1,), 0.25)
    optimizer.step()
    assert weight.item() == 0.75
    assert ire.count == 0


@pytest.mark.parametrize("rho", [1, 0.5])
def test_a_resumed_run_is_the_same_to_the_last_bit(rho: float) -> None:
    def begin() -> Any:
        model = two_losses()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        return model, optimizer, IRE(optimizer, kappa=2.0, fraction=0.5, interval=2, rho=rho)

    def run(parts: Any, some: Any) -> None:
        model, optimizer, ire = parts
        for x in some:
            if ire.due:
                refresh(ire, model, x)
            optimizer.zero_grad()
            model(x)[0].backward()
            optimizer.step()

    every = list(batches(7))
    whole = begin()
    run(whole, every)
    half = begin()
    run(half, every[:3])
    file = io.BytesIO()
    torch.save([part.state_dict() for part in half], file)
    file.seek(0)
    resumed = begin()
    for part, state in zip(resumed, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(state)
    run(resumed, every[3:])
    require_same(values(resumed[0].parameters()), values(whole[0].parameters()))
    assert resumed[2].count == 7


def test_states_that_do_not_fit_are_refused() -> None:
    def make(size: int = 2, **options: Any) -> IRE:
        optimizer = torch.optim.SGD([nn.Parameter(torch.ones(size))])
        return IRE(optimizer, **{"kappa": 1.0, "fraction": 0.5, **options})

    ire = make()
    ire.refresh([torch.ones(2)])
    state = ire.state_dict()
    bad: list[tuple[Any, Any, str]] = [
        (make(), {}, "it lacks"),
        (make(), {**state, "version": 0}, "version 1"),
        (make(3), state, "must have the shapes"),
        (make(), {**state, "mask": []}, "must have the shapes"),
        (make(kappa=2.0, ties="stable"), state, "other hyper-parameters: kappa, ties"),
    ]
    for other, given, message in bad:
        with pytest.raises(ValueError, match=message):
            other.load_state_dict(given)
    with pytest.raises(ValueError, match="on_change must be one of"):
        ire.load_state_dict(state, on_change="maybe")  # type: ignore[arg-type]
    kept = make(kappa=2.0)
    kept.load_state_dict(state, on_change="keep")
    assert kept.options.kappa == 2.0


def test_bad_arguments_are_named() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight])
    with pytest.raises(TypeError, match=r"optimizer must be a torch\.optim\.Optimizer; found list"):
        IRE([weight], kappa=1.0, fraction=0.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="fraction must be"):
        IRE(optimizer, kappa=1.0, fraction=-0.5)
    ire = IRE(optimizer, kappa=1.0, fraction=0.5)
    with pytest.raises(ValueError, match="required 1, found 2"):
        ire.refresh([weight.detach()] * 2)
    with pytest.raises(ValueError, match="must have the shape"):
        ire.refresh([torch.ones(3)])


def test_sharded_parameters_are_refused(monkeypatch: Any) -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight])
    monkeypatch.setattr("bloop_torch.ire.is_sharded", lambda _: True)
    with pytest.raises(TypeError, match="must not hold parameters that are sharded"):
        IRE(optimizer, kappa=1.0, fraction=0.5)
