"""What users do wrong, and what they are told: each message names the argument and the mend."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bloop_torch import Bloop
from tests.torch.models import batches, two_losses
from tests.torch.user_mistakes import MISTAKES, SHOWN_BY_ONE_UPDATE

LAM, RHO = 0.5, 0.25


@pytest.fixture
def user() -> Any:
    """A user's model, optimiser and Bloop, with losses of a new forward pass at every call."""
    model, inputs = two_losses(), batches(9)
    return SimpleNamespace(
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        bloop=Bloop(model.named_parameters(), lam=LAM, rho=RHO),
        losses=lambda: model(next(inputs)),
        scaler=torch.amp.GradScaler("cpu"),
    )


@pytest.mark.parametrize("name", MISTAKES)
def test_each_is_told_and_moves_nothing(name: str, user: Any) -> None:
    does, kind, message = MISTAKES[name]
    before = [p.detach().clone() for p in user.model.parameters()]
    with pytest.raises(kind, match=message):
        does(user)
    moved = any(not torch.equal(p, q) for p, q in zip(before, user.model.parameters(), strict=True))
    assert moved == (name in SHOWN_BY_ONE_UPDATE)
