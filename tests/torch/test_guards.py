"""The guard on ``.grad``: what counts as use of a direction, and steps that do not end."""

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from bloop_torch import Bloop, Surgery
from bloop_torch._guards import Guard
from bloop_torch._stack import Stack
from tests.torch.models import batches, copies, same, two_losses
from tests.torch.test_silent_cases import each

LAM, RHO = 0.5, 0.25
USES: dict[str, Callable[..., None]] = {}


def use(function: Callable[..., None]) -> Callable[..., None]:
    """Put a use of a direction into the table."""
    USES[function.__name__] = function
    return function


@use
def stepped_on(model: Any, optimizer: Any) -> None:
    optimizer.step()


@use
def clipped_and_stepped_on(model: Any, optimizer: Any) -> None:
    nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
    optimizer.step()


@use
def fused(model: Any, optimizer: Any) -> None:
    torch.optim.AdamW(model.parameters(), lr=0.1, fused=True).step()


@use
def one_part_stepped_on(model: Any, optimizer: Any) -> None:
    torch.optim.SGD(model.trunk.parameters(), lr=0.1).step()


@use
def cleared(model: Any, optimizer: Any) -> None:
    optimizer.zero_grad()


@use
def set_to_zero(model: Any, optimizer: Any) -> None:
    optimizer.zero_grad(set_to_none=False)


@use
def used_by_hand(model: Any, optimizer: Any) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.1 * parameter.grad


@pytest.mark.parametrize("name", USES)
def test_a_direction_that_was_used_gives_way(name: str) -> None:
    model, optimizer, bloop = begin()
    for x in batches(3):
        bloop.backward(*model(x))
        USES[name](model, optimizer)
    assert bloop.count == 3


def no_use(model: Any, optimizer: Any) -> None:
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    other = nn.Parameter(torch.ones(1))
    other.sum().backward()
    torch.optim.SGD([other], lr=0.1).step()


def test_what_is_no_use_is_not_taken_for_one() -> None:
    model, optimizer, bloop = begin()
    x, y = batches(2)
    bloop.backward(*model(x))
    no_use(model, optimizer)
    with pytest.raises(RuntimeError, match=r"still in \.grad"):
        bloop.backward(*model(y))


def begin() -> Any:
    model = two_losses()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return model, optimizer, Bloop(model.named_parameters(), lam=LAM, rho=RHO)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
@pytest.mark.parametrize("options", [{}, {"fused": True}], ids=str)
def test_a_closure_may_call_backward(kind: Any, options: Any) -> None:
    model, _, bloop = begin()
    optimizer = kind(model.parameters(), lr=0.1, **options)
    for x in batches(3):

        def closure(x: Any = x) -> Any:
            main, aux = model(x)
            bloop.backward(main, aux)
            return main

        optimizer.step(closure)
    bloop.backward(*model(x))
    assert bloop.count == 4


@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_direction_that_a_scaler_refuses_gives_way(elsewhere: bool) -> None:
    model, optimizer, bloop = begin()
    scaler = torch.amp.GradScaler("cpu")
    other = nn.Parameter(torch.ones(1))
    optimizer.add_param_group({"params": [other]})
    weights = copies(list(model.parameters()))
    for x in batches(3):
        main, aux = model(x)
        bloop.backward(main if elsewhere else main * torch.inf, aux, scaler=scaler)
        other.grad = torch.full_like(other, torch.inf)
        scaler.step(optimizer)
        scaler.update()
        assert bloop.withheld is not elsewhere
    assert same(weights, list(model.parameters()))
    assert int(bloop.skipped) == (0 if elsewhere else 3)


def test_a_copy_has_a_guard_of_its_own() -> None:
    model, optimizer, bloop = begin()
    x, y = batches(2)
    bloop.backward(*model(x))
    twins = (
        copy.deepcopy((model, optimizer, bloop)),
        pickle.loads(pickle.dumps((model, optimizer, bloop))),
    )
    for model, optimizer, bloop in twins:
        bloop.backward(*model(y))
        with pytest.raises(RuntimeError, match=r"still in \.grad"):
            bloop.backward(*model(y))
        optimizer.step()
        bloop.backward(*model(y))


def test_no_gradient_is_kept_alive() -> None:
    model, optimizer, bloop = begin()
    other = nn.Parameter(torch.ones(1))
    optimizer.add_param_group({"params": [other]})
    (x,) = batches(1)
    main, aux = model(x)
    bloop.backward(main + other.sum(), aux)
    grads = [weakref.ref(p.grad) for p in (*model.parameters(), other)]
    optimizer.step()
    del main, aux
    optimizer.zero_grad()
    gc.collect()
    assert not any(grad() is not None for grad in grads)


@each
@pytest.mark.parametrize("late", [False, True])
def test_an_interrupted_step_is_not_taken_for_a_whole_one(
    method: Any, late: bool, monkeypatch: Any
) -> None:
    model = two_losses()
    surgery = Surgery(model.named_parameters(), method)
    first, second = batches(2)
    surgery.backward(*model(first))
    model.zero_grad()
    saved = copies(surgery.state_dict())

    def interrupted(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    place: Any = (Guard, "leave") if late else (Stack, "gramian")
    with monkeypatch.context() as patch:
        patch.setattr(*place, interrupted)
        with pytest.raises(KeyboardInterrupt):
            surgery.backward(*model(second))
    if not late:  # nothing has been written
        assert same(saved, surgery.state_dict())
    else:
        for call in (
            surgery.state_dict,
            surgery.combine,
            lambda: surgery.backward(*model(second)),
            copy.deepcopy(surgery).state_dict,
        ):
            with pytest.raises(
                RuntimeError, match=r"exception has left combine .* load_state_dict"
            ):
                call()
        surgery.load_state_dict(saved)
    surgery.backward(*model(second))
    found = copies([p.grad for p in model.parameters()])
    whole = Surgery(model.named_parameters(), method)
    whole.load_state_dict(saved)
    whole.backward(*model(second))
    assert same(found, [p.grad for p in model.parameters()])
    assert same(whole.state_dict(), surgery.state_dict())
