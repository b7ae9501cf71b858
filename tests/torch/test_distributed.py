from typing import Any

import pytest
import torch

from bloop_proofs.laws.measure import require_close
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import (
    average_bound,
    direction_bound,
    modulation_error,
    norm,
    product_error,
    unit_roundoff,
)
from bloop_ref.surgery import Method, PCGrad, PerLeaf, SamGS
from bloop_torch import Bloop, Surgery
from tests.torch.agreement import arrays, fetch
from tests.torch.models import batches, gradients, two_losses
from tests.torch.processes import LAM, RHO, STEPS

KINDS = {
    2: {
        "ddp, separate, view=False",
        "ddp, separate, view=True",
        "ddp, shared",
        "fsdp, shared",
        "fsdp, separate",
        "tensor parallel",
        "surgery, ddp",
        "surgery, ddp, shared",
        "surgery, fsdp",
        "SamGS, fsdp",
        "HierarchicalBloop, fsdp",
        "PerLeaf, fsdp",
        "surgery, tensor parallel",
    },
    4: {
        "ddp, separate, view=False",
        "ddp, separate, view=True",
        "ddp, shared",
        "fsdp, shared",
        "fsdp, separate",
        "fsdp and tensor parallel",
        "surgery, ddp",
        "surgery, ddp, shared",
        "surgery, fsdp",
        "SamGS, fsdp",
        "HierarchicalBloop, fsdp",
        "PerLeaf, fsdp",
    },
}


@pytest.fixture(scope="module")
def alone() -> Any:
    """Train in one process on whole batches; return the result, and the bounds on its distance.

    Rounding differs from step to step and is carried on by the weights; the loss is smooth, and the
    learning rate small, so the bounds of the steps add up.
    """
    model = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    like = list(model.parameters())
    bounds = [0.0, 0.0]
    for x in batches(STEPS):
        losses = model(x)
        main, aux = (arrays(g, like) for g in gradients(losses, like))
        u, (g, a) = unit_roundoff(main), (norm(flat(v)) for v in (main, aux))
        bounds[0] += 2 * direction_bound(u, flat(main).size, g, a, LAM)
        bounds[1] += 2 * average_bound(u, u, g, g, RHO)
        bloop.backward(*losses)
        optimizer.step()
    direction = flat([fetch(p.grad) for p in like])
    return direction, flat([fetch(e) for e in bloop.ema.values()]), *bounds


@pytest.fixture(scope="module", params=KINDS)
def together(request: Any, processes: Any, tmp_path_factory: Any) -> Any:
    """Train in several processes; return what each says came out."""
    size, folder = request.param, tmp_path_factory.mktemp("processes")
    return size, processes("tests.torch.processes", size, folder)


def test_parallel_training_gives_what_one_process_does(alone: Any, together: Any) -> None:
    direction, ema, direction_tolerance, average_tolerance = alone
    size, results = together
    assert set(results[0]) == KINDS[size]
    for name, result in results[0].items():
        if "ema" not in result:
            continue
        found = flat([fetch(x) for x in result["direction"]])
        require_close(f"direction, {name}", found, direction, direction_tolerance)
        found = flat([fetch(x) for x in result["ema"]])
        require_close(f"average, {name}", found, ema, average_tolerance)


@pytest.mark.parametrize("method", [PCGrad(), PerLeaf(PCGrad())], ids=["surgery", "PerLeaf"])
def test_parallel_surgery_gives_what_one_process_does(method: Method, together: Any) -> None:
    model = two_losses()
    surgery = Surgery(model.named_parameters(), method)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    like, bound = list(model.parameters()), 0.0
    for x in batches(STEPS):
        losses = model(x)
        main, aux = (arrays(g, like) for g in gradients(losses, like))
        u, (g, a) = unit_roundoff(main), (norm(flat(v)) for v in (main, aux))
        # each of the two altered gradients is one of them less its part along the other
        bound += 4 * direction_bound(u, flat(main).size, g, a, 1)
        surgery.backward(*losses)
        optimizer.step()
    required = flat([fetch(p.grad) for p in like])
    _, results = together
    for name, result in results[0].items():
        if name.startswith("PerLeaf" if isinstance(method, PerLeaf) else "surgery"):
            require_close(name, flat([fetch(x) for x in result["direction"]]), required, bound)


def test_a_sharded_hierarchy_of_two_is_bloop(alone: Any, together: Any) -> None:
    direction, _, tolerance, _ = alone
    _, results = together
    found = flat([fetch(x) for x in results[0]["HierarchicalBloop, fsdp"]["direction"]])
    require_close("direction", found, direction, tolerance)


def test_sharded_sam_gs_gives_what_one_process_does(together: Any) -> None:
    model = two_losses()
    surgery = Surgery(model.named_parameters(), SamGS())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    like, bound = list(model.parameters()), 0.0
    for x in batches(STEPS):
        losses = model(x)
        pair = [arrays(g, like) for g in gradients(losses, like)]
        u, n = unit_roundoff(pair[0]), sum(p.numel() for p in like)
        surgery.backward(*losses)
        # of degree 2 in the gradients, whose means over processes differ by rounding
        h = float(surgery.state.scalars[0]) / (1 - float(surgery.state.scalars[2]))
        size = sum(norm(flat(g)) ** 2 for g in pair) / h**0.5
        bound += size * (modulation_error(u, n, 1.0, h) + 4 * product_error(u, 8))
        optimizer.step()
    required = flat([fetch(p.grad) for p in like])
    _, results = together
    found = flat([fetch(x) for x in results[0]["SamGS, fsdp"]["direction"]])
    require_close("SamGS", found, required, bound)


def test_all_processes_have_the_same_bits(together: Any) -> None:
    _, results = together
    for other in results[1:]:
        for name, result in results[0].items():
            for kind, leaves in result.items():
                same = zip(leaves, other[name][kind], strict=True)
                assert all(torch.equal(x, y) for x, y in same), name
