"""IRE around torch optimisers: the reference's steps, groups, AMP, freezing, checkpoints."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bloop_ref import ire as reference
from bloop_torch.ire import IRE
from tests.torch.models import batches, two_losses

Make = Callable[[Any], torch.optim.Optimizer]
OPTIMIZERS: dict[str, Make] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "adamw-foreach": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=True),
    "adamw-fused": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
}
OPTIONS: list[dict[str, Any]] = [
    {"interval": 2, "warmup": 1},
    {"interval": 1, "rho": 0.5, "ties": "stable"},
    {"interval": 3, "convention": "topk_official"},
]


def values(parameters: Any) -> list[np.ndarray]:
    return [p.detach().numpy().copy() for p in parameters]


def require_same(found: Any, required: Any) -> None:
    for x, y in zip(found, required, strict=True):
        np.testing.assert_array_equal(x, y)


def refresh(ire: IRE, model: nn.Module, x: Tensor) -> None:
    with ire.fisher_gradient(batch_size=len(x)):
        model(x)[1].backward()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_step_is_the_references(make: Make, options: Any, dtype: torch.dtype) -> None:
    """A twin without IRE takes the base step; the reference amplifies it, and its own mask."""
    model = two_losses(dtype)
    parameters = list(model.parameters())
    optimizer = make(parameters)
    ours = IRE(optimizer, kappa=lambda count: 1.0 + count, fraction=0.6, **options)
    theirs = reference.IRE(lambda count: 1.0 + count, 0.6, **options)
    state = theirs.init([p.detach() for p in parameters])
    for x in batches(6, dtype):
        assert ours.due == theirs.should_refresh(state.count)
        if ours.due:
            refresh(ours, model, x)
            gradient = torch.autograd.grad(model(x)[1], parameters, allow_unused=True)
            state = theirs.refresh(reference.curvature(list(gradient), batch_size=8), state)
        optimizer.zero_grad()
        sum(model(x)).backward()
        before = [p.detach().clone() for p in parameters]
        twin = copy.deepcopy(model)
        base = make(twin.parameters())
        base.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for p, q in zip(twin.parameters(), parameters, strict=True):
            p.grad = q.grad
        base.step()
        optimizer.step()
        expected, state = theirs.step(before, [p.detach() for p in twin.parameters()], state)
        assert all(torch.equal(p, y) for p, y in zip(parameters, expected, strict=True))
        if ours.mask:
            assert all(
                torch.equal(ours.mask[p], n) for p, n in zip(parameters, state.mask, strict=True)
            )
        both = (o.state_dict()["state"] for o in (optimizer, base))
        for own, other in zip(*(s.values() for s in both), strict=True):
            assert all(torch.equal(own[key], other[key]) for key in own if own[key] is not None)
    assert ours.count == 6


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_without_enhancement_training_is_the_base_optimisers_bit_for_bit(make: Make) -> None:
    ends = []
    for attached in (True, False):
        model = two_losses()
        optimizer = make(model.parameters())
        ire = IRE(optimizer, kappa=0.0, fraction=0.6, interval=1) if attached else None
        for x in batches(4):
            if ire is not None:
                refresh(ire, model, x)
            optimizer.zero_grad()
            model(x)[0].backward()
            optimizer.step()
        ends.append(values(model.parameters()))
    require_same(*ends)


def test_parameter_groups_are_ranked_together() -> None:
    first, second = (nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.SGD([{"params": [first], "lr": 1.0}, {"params": [second], "lr": 0.5}])
    ire = IRE(optimizer, kappa=1.0, fraction=0.5)
    ire.refresh([torch.tensor([1.0, 2.0]), torch.tensor([0.0, 3.0])])
    for p in (first, second):
        p.grad = torch.full((2,), 0.25)
    optimizer.step()
    assert first.tolist() == [0.5, 0.75]
    assert second.tolist() == [0.75, 0.875]


def test_a_group_added_later_takes_part_from_the_next_refresh() -> None:
    first, second = (nn.Parameter(torch.ones(1)) for _ in range(2))
    optimizer = torch.optim.SGD([first], lr=1.0)
    ire = IRE(optimizer, kappa=1.0, fraction=1.0, rho=0.5)
    ire.refresh([torch.ones(1)])
    optimizer.add_param_group({"params": [second]})
    for expected in (0.75, 0.25):
        second.grad = torch.full((1,), 0.25)
        optimizer.step()
        assert second.item() == expected
        ire.refresh([torch.ones(1), torch.ones(1)])


def test_frozen_parameters_are_not_ranked_and_unused_ones_are_flat() -> None:
    frozen, unused, used = (nn.Parameter(torch.ones(2)) for _ in range(3))
    frozen.requires_grad_(False)
    optimizer = torch.optim.SGD([frozen, unused, used], lr=1.0)
    ire = IRE(optimizer, kappa=1.0, fraction=0.75)
    with ire.fisher_gradient():
        (used * torch.tensor([1.0, 2.0])).sum().backward()
    assert set(ire.mask) == {unused, used}
    assert ire.mask[unused].tolist() == [True, True]
    assert ire.mask[used].tolist() == [True, False]
    used.grad = torch.ones(2)
    optimizer.step()
    assert frozen.tolist() == unused.tolist() == [1.0, 1.0]
    assert used.tolist() == [-1.0, 0.0]
    frozen.requires_grad_(True)
    ire.refresh([torch.zeros(2), None, torch.ones(2)])
    assert ire.mask[frozen].tolist() == [True, True]


def test_gradients_are_put_aside_and_come_back() -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    ire = IRE(optimizer, kappa=1.0, fraction=0.5)
    weight.grad = kept = torch.tensor([1.0, 2.0])
    with ire.fisher_gradient():
        for _ in range(2):  # micro-batches
            (weight * torch.tensor([3.0, 1.0])).sum().backward()
    assert weight.grad is kept
    assert kept.tolist() == [1.0, 2.0]
    assert ire.mask[weight].tolist() == [False, True]


def fail(ire: IRE, weight: Tensor) -> None:
    with ire.fisher_gradient():
        weight.sum().backward()
        raise MemoryError


def test_a_failed_backward_pass_changes_nothing() -> None:
    weight = nn.Parameter(torch.ones(2))
    ire = IRE(torch.optim.SGD([weight], lr=1.0), kappa=1.0, fraction=0.5)
    with pytest.raises(MemoryError):
        fail(ire, weight)
    assert weight.grad is None
    assert not ire.mask


def test_sparse_gradients() -> None:
    table = nn.Embedding(4, 2, sparse=True)
    ire = IRE(torch.optim.SGD(table.parameters(), lr=1.0), kappa=1.0, fraction=0.5)
    with ire.fisher_gradient():
        table(torch.tensor([0, 3])).sum().backward()
    assert ire.mask[table.weight].tolist() == [[False] * 2, [True] * 2, [True] * 2, [False] * 2]


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_the_scaler_skips_moves_nothing(fused: bool) -> None:
    model = two_losses()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=fused)
    ire = IRE(optimizer, kappa=3.0, fraction=0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
    first, second = batches(2)
    refresh(ire, model, first)
    taken = []
    for x, factor in ((first, 1.0), (second, torch.inf), (second, 1.0)):
        before = values(model.parameters())
        optimizer.zero_grad()
        scaler.scale(sum(model(x)) * factor).backward()
        scaler.step(optimizer)
        scaler.update()
        after = values(model.parameters())
        taken.append(any((a != b).any() for a, b in zip(before, after, strict=True)))
    assert taken == [True, False, True]
    assert scaler.get_scale() == 2.0**7


def test_a_scaled_loss_has_the_same_score() -> None:
    """Powers of two: bit for bit."""
    model = two_losses()
    (x,) = batches(1)
    scores = []
    for scaler in (None, torch.amp.GradScaler("cpu", init_scale=2.0**8)):
        ire = IRE(torch.optim.SGD(model.parameters()), kappa=1.0, fraction=0.5, rho=0.5)
        with ire.fisher_gradient(batch_size=4, scaler=scaler):
            loss = model(x)[1]
            (loss if scaler is None else scaler.scale(loss)).backward()
        scores.append(values(ire.score.values()))
    require_same(*scores)


def test_an_infinite_fisher_batch_is_skipped_and_counted() -> None:
    weight = nn.Parameter(torch.ones(2))
    ire = IRE(torch.optim.SGD([weight], lr=1.0), kappa=1.0, fraction=0.5)
    ire.refresh([torch.tensor([1.0, 2.0])])
    for bad in (torch.nan, torch.inf):
        ire.refresh([torch.tensor([bad, 0.0])])
    assert ire.mask[weight].tolist() == [True, False]
    assert int(ire.skipped) == 2


def test_schedulers_and_closures_work_as_before() -> None:
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    ire = IRE(optimizer, kappa=1.0, fraction=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    ire.refresh([torch.ones(1)])

    def closure() -> float:
        weight.grad = torch.full((1,), 0.25)
        return 7.0

    for expected in (0.5, 0.25):
        assert optimizer.step(closure) == 7.0
        scheduler.step()
        assert weight.item() == expected
