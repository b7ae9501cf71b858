"""Batches that are not finite, backward passes that fail, optimisers and options that do not do."""

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import bloop_ref
from bloop_torch import Bloop
from tests.torch.agreement import normal
from tests.torch.models import batches, gradients, require_like_reference, two_losses

LAM, RHO = 0.5, 0.25


def test_lbfgs_is_refused_while_the_object_lives() -> None:
    weight: Any = nn.Parameter(torch.ones(2))
    other = nn.Parameter(torch.ones(2))
    bloop = Bloop([weight], lam=LAM, rho=RHO)
    bloop.backward(weight.sum(), weight.sum())

    def closure() -> Any:
        return torch.ones(())

    with pytest.raises(TypeError, match="L-BFGS"):
        torch.optim.LBFGS([weight]).step(closure)
    other.grad = torch.zeros(2)
    torch.optim.LBFGS([other]).step(closure)
    gone = weakref.ref(bloop)
    del bloop
    gc.collect()
    assert gone() is None
    weight.grad = torch.zeros(2)
    torch.optim.LBFGS([weight]).step(closure)


def test_an_infinite_batch_is_skipped_and_counted() -> None:
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    first, second = batches(2)
    bloop.backward(*model(first))
    model.zero_grad()
    before = {name: e.clone() for name, e in bloop.ema.items()}
    bloop.backward(*model(torch.full((1, 6), torch.nan)))
    assert bloop.withheld
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(bloop.ema[name], e) for name, e in before.items())
    assert int(bloop.skipped) == 1
    assert bloop.count == 2
    losses = model(second)
    expected = gradients(losses, list(model.parameters()))
    require_like_reference(bloop, expected, lambda: bloop.backward(*losses))


@pytest.mark.parametrize("init", ["zeros", "first"])
@pytest.mark.parametrize("project_on", ["previous", "updated"])
@pytest.mark.parametrize("nonfinite", ["skip", "propagate"])
@pytest.mark.parametrize("reading", [True, False])
def test_bad_batches_are_treated_as_in_the_reference(
    init: Any, project_on: Any, nonfinite: Any, reading: Any, request: Any
) -> None:
    if not reading:
        request.getfixturevalue("unread")
    options: Any = {"init": init, "project_on": project_on, "nonfinite": nonfinite}
    weight: Any = nn.Parameter(torch.zeros(2))
    bloop, reference = (
        Bloop([weight], lam=1.0, rho=0.5, **options),
        bloop_ref.Bloop(1, 0.5, **options),
    )
    state = reference.init(np.zeros(2, np.float32))
    bad = [torch.nan, 1.0]
    # dyadic numbers, so that every step is exact: bad main gradients come first, and in between
    for main, aux in ((bad, [1.0, 0.0]), ([4.0, 4.0], bad), (bad, bad), ([4.0, 0.0], [2.0, 2.0])):
        bloop.backward(weight @ torch.tensor(main), weight @ torch.tensor(aux))
        pair = [np.array(x, np.float32) for x in (main, aux)]
        required, state = reference.step(pair, state)
        # the direction shows what came in, which is kept from the optimiser
        assert bloop.withheld == (nonfinite == "skip" and bad in (main, aux))
        assert (weight.grad is None) == bloop.withheld
        if not bloop.withheld:
            np.testing.assert_array_equal(weight.grad.numpy(), required)
        weight.grad = None
        np.testing.assert_array_equal(bloop.ema["0"].numpy(), state.ema)
        assert (bloop.count, int(bloop.skipped)) == (int(state.count), int(state.skipped))


def test_an_infinite_batch_raises_if_wanted() -> None:
    weight: Any = nn.Parameter(torch.ones(2))
    bloop = Bloop([weight], lam=LAM, rho=RHO, nonfinite="raise")
    with pytest.raises(FloatingPointError, match=r"main_gradient\(\) must be finite"):
        bloop.backward(weight.sum() * torch.inf, weight.sum())
    # which would never reach the average, but by the direction the weights
    with pytest.raises(FloatingPointError, match=r"^aux_gradient\(\) must be finite"):
        bloop.backward(weight.sum(), weight.sum() * torch.nan)
    assert bloop.count == 0
    assert not bloop.ema["0"].any()
    bloop.backward(weight.sum(), weight.sum())
    assert bloop.ema["0"].tolist() == [RHO, RHO]


def test_the_graph_of_the_last_loss_is_freed() -> None:
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    (x,) = batches(1)
    main, aux = model(x)
    bloop.backward(main, aux)
    for loss in (main, aux):
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()
    model.zero_grad()
    (main, _), (_, aux) = model(x), model(x)
    bloop.accumulate(main, aux, shared_graph=False)
    with pytest.raises(RuntimeError, match="second time"):
        main.backward()


def test_both_gradients_are_required() -> None:
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    with pytest.raises(RuntimeError, match=r"main_gradient\(\) has not"):
        bloop.combine()
    with bloop.main_gradient():
        pass
    with pytest.raises(RuntimeError, match=r"aux_gradient\(\) has not"):
        bloop.combine()


def test_a_failed_backward_pass_leaves_nothing_behind() -> None:
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    (x,) = batches(1)

    def fails() -> None:
        with bloop.main_gradient():
            model(x)[0].backward()
            raise MemoryError

    with pytest.raises(MemoryError):
        fails()
    losses = model(x)
    expected = gradients(losses, list(model.parameters()))
    require_like_reference(bloop, expected, lambda: bloop.backward(*losses))


BAD: dict[str, dict[str, Any]] = {
    "project_on must be one of": {"project_on": "both"},
    "init must be one of": {"init": "ones"},
    "nonfinite must be one of": {"nonfinite": "hide"},
    "ema_dtype must be": {"ema_dtype": torch.bfloat16},
    "lam must be": {"lam": -1.0},
    "rho must be": {"rho": 2.0},
    "at least one parameter": {"params": []},
    "leaf tensors": {"params": [torch.ones(1, requires_grad=True) * 2]},
    "different names": {"params": [("a", torch.ones(1)), ("a", torch.zeros(1))]},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_options_are_named(message: Any) -> None:
    options: Any = {"params": normal(((2,),), 1), "lam": LAM, "rho": RHO} | BAD[message]
    with pytest.raises(ValueError, match=message):
        Bloop(options.pop("params"), **options)


def test_no_parameters_are_named() -> None:
    numbers: Any = [1.0]
    with pytest.raises(TypeError, match="params must be"):
        Bloop(torch.ones(2), lam=LAM, rho=RHO)
    with pytest.raises(TypeError, match="params must hold tensors"):
        Bloop(numbers, lam=LAM, rho=RHO)
