from typing import Any

import pytest
import torch

from bloop_proofs.laws.measure import require_close
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import direction_bound, norm, unit_roundoff
from bloop_torch import Bloop
from tests.torch.agreement import fetch
from tests.torch.models import batches, gradients, require_like_reference, two_losses

LAM, RHO = 0.5, 0.25


def scaler(scale: Any = 2.0**16) -> Any:
    return torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=2)


def begin(**options: Any) -> Any:
    model = two_losses()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return model, optimizer, Bloop(model.named_parameters(), lam=LAM, rho=RHO, **options)


@pytest.mark.parametrize("options", [{}, {"init": "first"}, {"project_on": "updated"}], ids=str)
@pytest.mark.parametrize("reading", [True, False])
def test_the_average_is_of_unscaled_gradients(options: Any, reading: Any, request: Any) -> None:
    if not reading:
        request.getfixturevalue("unread")
    model, optimizer, bloop = begin(**options)
    losses_scaler = scaler()
    scales = []
    for x in batches(5):
        losses = model(x)
        scales.append(losses_scaler.get_scale())
        expected = gradients(losses, list(model.parameters()))
        require_like_reference(
            bloop,
            expected,
            lambda losses=losses: bloop.backward(*losses, scaler=losses_scaler),
            unit=scales[-1],
        )
        losses_scaler.step(optimizer)
        losses_scaler.update()
    assert len(set(scales)) > 1
    assert int(bloop.skipped) == 0


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("reading", [True, False])
def test_a_skipped_step_leaves_the_average(which: Any, reading: Any, request: Any) -> None:
    if not reading:
        request.getfixturevalue("unread")
    model, optimizer, bloop = begin()
    losses_scaler = scaler()
    first, second = batches(2)
    for x, factors in ((first, (1.0, 1.0)), (second, (torch.inf, 1.0)[:: 1 - 2 * which])):
        weights = [p.detach().clone() for p in model.parameters()]
        average = {name: e.clone() for name, e in bloop.ema.items()}
        scaled = [loss * factor for loss, factor in zip(model(x), factors, strict=True)]
        bloop.backward(*scaled, scaler=losses_scaler)
        losses_scaler.unscale_(optimizer)
        losses_scaler.step(optimizer)
        losses_scaler.update()
    assert all(torch.equal(p, w) for p, w in zip(model.parameters(), weights, strict=True))
    assert all(torch.equal(bloop.ema[name], e) for name, e in average.items())
    assert isinstance(bloop.skipped, torch.Tensor)
    assert int(bloop.skipped) == 1
    assert bloop.withheld
    assert losses_scaler.get_scale() == 2.0**15
    bloop.backward(*model(first), scaler=losses_scaler)  # the direction was refused, not forgotten
    assert not bloop.withheld


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_trains_as_without_a_scaler(dtype: Any) -> None:
    runs = []
    for losses_scaler in (scaler(2.0**8), None):
        model, optimizer, bloop = begin()
        for x in batches(3):
            with torch.autocast("cpu", dtype=dtype):
                losses = [loss.float() for loss in model(x)]
            bloop.backward(*losses, scaler=losses_scaler)
            if losses_scaler:
                losses_scaler.unscale_(optimizer)
                losses_scaler.update()
            runs.append([fetch(p.grad) for p in model.parameters()])
            for parameter in model.parameters():
                parameter.grad = None
    u = unit_roundoff([fetch(torch.zeros((), dtype=dtype))])
    for found, required in zip(runs[:3], runs[3:], strict=True):
        size = norm(flat(required))
        require_close(
            "direction", flat(found), flat(required), direction_bound(u, 1, size, size, LAM)
        )


def test_a_disabled_scaler_changes_nothing() -> None:
    model, _, bloop = begin()
    off = torch.amp.GradScaler("cpu", enabled=False)
    for x in batches(2):
        model.zero_grad()
        losses = model(x)
        expected = gradients(losses, list(model.parameters()))
        step = lambda losses=losses: bloop.backward(*losses, scaler=off)  # noqa: E731
        require_like_reference(bloop, expected, step)


@pytest.mark.parametrize("options", [{}, {"project_on": "updated"}, {"init": "first"}], ids=str)
def test_diagnostics_are_of_unscaled_gradients(options: Any) -> None:
    plain, scaled = begin(**options), begin(**options)
    losses_scaler = scaler()
    for x in batches(3):
        for model, *_ in (plain, scaled):
            model.zero_grad()
        required = plain[2].backward(*plain[0](x), diagnostics=True)
        found = scaled[2].backward(*scaled[0](x), scaler=losses_scaler, diagnostics=True)
        assert found == required  # a power of two changes no bit
        assert found.norm_aux > 0
