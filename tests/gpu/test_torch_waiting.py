"""For what the host waits, and how a step that is not finite is kept from an optimiser."""

from typing import Any

import numpy as np
import pytest

from tests.gpu.cases import LAM, RHO, draw
from tests.gpu.devices import DEVICE, never_waiting, to_host
from tests.gpu.test_torch import FEW, SCALE, give, losses, parameters, surgeon, tensors


@pytest.mark.parametrize("scaled", [False, True], ids=["propagate", "scaler"])
def test_the_host_waits_for_nothing(scaled: bool, torch: Any) -> None:
    import bloop_torch

    params = parameters(torch)
    scaler = torch.amp.GradScaler(DEVICE, init_scale=SCALE) if scaled else None
    if scaler is not None:
        scaler.scale(torch.ones((), device=DEVICE))  # as it does with a loss
    kind: Any = "skip" if scaled else "propagate"
    bloop = bloop_torch.Bloop(params, lam=LAM, rho=RHO, nonfinite=kind)
    gradients = [tensors(torch, draw(k)) for k in range(2)]
    for _ in range(2):
        give(bloop, params, gradients)
        bloop.combine(scaler=scaler)
    give(bloop, params, gradients)
    with never_waiting():
        bloop.combine(scaler=scaler)


def test_a_bad_step_is_withheld(torch: Any) -> None:
    params = parameters(torch, FEW)
    bloop = surgeon(params, "Bloop")
    good, bad = draw(0, FEW), [np.full_like(x, np.nan) for x in draw(1, FEW)]
    for skipped, vectors in enumerate(([good, bad], [bad, good])):
        bloop.backward(*losses(torch, params, vectors))
        assert bloop.withheld
        assert all(p.grad is None for p in params)
        for found, leaf in zip(bloop.ema.values(), good, strict=True):
            np.testing.assert_array_equal(to_host(found), RHO * leaf)
        assert int(bloop.skipped) == skipped
