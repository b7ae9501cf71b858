"""A step between reduces half of what a full one does, and gives what one process does."""

import os
import subprocess
import sys
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
def together(tmp_path_factory: Any) -> Any:
    folder = tmp_path_factory.mktemp("every")
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.torch.every_processes", str(rank), str(folder)],
            env=os.environ | paths,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(SIZE)
    ]
    logs = [process.communicate(timeout=200)[0] for process in processes]
    assert not any(process.returncode for process in processes), "\n".join(logs)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(SIZE)]


@pytest.mark.parametrize("way", WAYS)
def test_a_step_between_reduces_one_gradient(way: str, together: Any) -> None:
    """A full step reduces as many entries as there are parameters twice, a step between once."""
    entries = together[0][way]["entries"]
    calls = together[0][way]["calls"]
    assert entries[::2] == [entries[0]] * (STEPS // 2)
    # DDP reduces whole buckets; the library also flags, and no entries that a loss does not reach
    assert all(2 * x <= entries[0] + 2 * 16 for x in entries[1::2]), entries
    assert all(x < entries[0] for x in entries[1::2]), entries
    assert all(2 * x <= calls[0] + 4 for x in calls[1::2]), calls


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
