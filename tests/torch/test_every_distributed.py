"""A step between reduces half of what a full one does, and gives what one process does."""

from typing import Any

import pytest
import torch

from bloop_proofs.laws.measure import require_close
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import average_bound, direction_bound, norm, unit_roundoff
from bloop_torch import Bloop
from tests.torch.agreement import arrays, fetch
from tests.torch.every_processes import LAM, RHO, SIZE, STEPS
from tests.torch.models import batches, gradients, two_losses

WAYS = ("ddp", "own")


@pytest.fixture(scope="module")
def together(processes: Any, tmp_path_factory: Any) -> Any:
    return processes("tests.torch.every_processes", SIZE, tmp_path_factory.mktemp("every"))


def test_ddp_reduces_half_of_what_a_full_step_does(together: Any) -> None:
    """Every pass through DDP reduces all parameters, in one bucket here."""
    entries = sum(p.numel() for p in two_losses().parameters())
    for result in together:
        assert result["ddp"]["entries"] == [2 * entries, entries] * (STEPS // 2)
        assert result["ddp"]["calls"] == [2, 1] * (STEPS // 2)


def test_the_library_reduces_one_gradient(together: Any) -> None:
    """On a full step it reduces two, each without the head that the loss leaves out."""
    for result in together:
        entries, calls = result["own"]["entries"], result["own"]["calls"]
        assert all(
            between < full for full, between in zip(entries[::2], entries[1::2], strict=True)
        )
        assert all(between < full for full, between in zip(calls[::2], calls[1::2], strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_directions_are_those_of_one_process(way: str, together: Any) -> None:
    model = two_losses()
    like = list(model.parameters())
    bloop = Bloop(like, lam=LAM, rho=RHO, every=2)
    optimizer = torch.optim.SGD(like, lr=0.1)
    bound = 0.0
    for t, x in enumerate(batches(STEPS)):
        losses = model(x)
        main, aux = (arrays(g, like) for g in gradients(losses, like))
        u, (g, a) = unit_roundoff(main), (norm(flat(v)) for v in (main, aux))
        # what rounding did to the steps before is carried on by the weights, e and A
        bound += 2 * (
            direction_bound(u, flat(main).size, g, a, LAM) + average_bound(u, u, g, a, RHO)
        )
        bloop.backward(*losses)
        for result in together:
            found = flat([fetch(d) for d in result[way]["directions"][t]])
            require_close("direction", found, flat([fetch(p.grad) for p in like]), bound)
        assert all(
            torch.equal(*pair)
            for pair in zip(*(r[way]["directions"][t] for r in together), strict=True)
        )
        optimizer.step()
