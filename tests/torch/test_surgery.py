"""Any method of the family in a training loop: several losses, AMP, bad batches, checkpoints."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bloop_proofs.laws.measure import require_close
from bloop_proofs.subject import flat
from bloop_ref import HierarchicalBloop
from bloop_ref.surgery import (
    MGDA,
    AGem,
    CAGrad,
    DynamicBarrier,
    GradVac,
    MetaBalance,
    Mixed,
    PCGrad,
    PerLeaf,
    SamGS,
)
from bloop_torch import Surgery
from tests.tolerances import (
    average_drift,
    hierarchy_gram_bound,
    norm,
    unit_roundoff,
)
from tests.torch.agreement import arrays, fetch, normal, wide
from tests.torch.models import batches, two_losses

MAIN, AUX = [4.0, 4.0], [-4.0, 0.0]
"""Gradients of which most coefficients are dyadic numbers."""

EVERY = (
    Mixed(lam=0.5),
    AGem(),
    DynamicBarrier(),
    MGDA(),
    PCGrad(),
    GradVac(beta=0.5),
    MetaBalance(),
    CAGrad(c=0.5),
    SamGS(),
    PerLeaf(PCGrad()),
    HierarchicalBloop([0.5], rho=0.25),
)

each = pytest.mark.parametrize("method", EVERY, ids=lambda method: type(method).__name__)


def leaf(dtype: Any = torch.float32) -> Any:
    return nn.Parameter(torch.zeros(2, dtype=dtype))


def begin(method: Any, **options: Any) -> Any:
    model = two_losses()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    return Surgery(model.named_parameters(), method, **options), model, optimizer


def backward(method: Any, *gradients: Any, dtype: Any = torch.float32, **given: Any) -> Any:
    """Return the direction of losses with given gradients, and the object that made it."""
    weight = leaf(dtype)
    surgery = Surgery([weight], method, losses=len(gradients))
    surgery.backward(*(weight @ torch.tensor(g, dtype=dtype) for g in gradients), **given)
    return weight.grad, surgery


@pytest.mark.parametrize(
    ("method", "required"),
    [
        (Mixed(lam=0.5), (2.0, 4.0)),
        (PCGrad(lam=0.5), (-1.0, 5.0)),
        (DynamicBarrier(lam=0.5), (3.0, 5.0)),
        (AGem(), (0.0, 4.0)),
        (PerLeaf(AGem()), (0.0, 4.0)),
        (HierarchicalBloop([0.5], rho=1, project_on="updated"), (3.0, 5.0)),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_the_direction_is_the_methods(method: Any, required: Any, dtype: Any) -> None:
    direction, surgery = backward(method, MAIN, AUX, dtype=dtype)
    assert torch.equal(direction, torch.tensor(required, dtype=dtype))
    assert (surgery.count, int(surgery.skipped)) == (1, 0)


@pytest.mark.parametrize("power", [-70, 70])
def test_the_scale_of_a_gradient_that_opposes_does_not_matter(power: int) -> None:
    far = [2.0**power * x for x in AUX]
    direction, _ = backward(PCGrad(lam=0), MAIN, far)
    assert direction.tolist() == [0.0, 4.0]
    direction, _ = backward(PCGrad(lam=0), MAIN, [2.0**400 * x for x in AUX], dtype=torch.float64)
    assert direction.tolist() == [0.0, 4.0]
    direction, _ = backward(PCGrad(lam=0), MAIN, [2.0**900 * x for x in AUX], dtype=torch.float64)
    assert direction.isnan().all()  # out of reach of one common scale, and says so


def test_more_losses_in_a_given_order() -> None:
    method = PCGrad(orders=[[1, 2], [0, 2], [0, 1]])
    direction, _ = backward(method, [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0])
    assert direction.tolist() == [0.0, 1.0]


def test_orders_are_drawn_anew() -> None:
    weight, found = leaf(), set()
    surgery = Surgery([weight], PCGrad(seed=1), losses=3)
    gradients = [torch.tensor(g) for g in ([1.0, 0.0], [-1.0, 1.0], [-10.0, -1.0])]
    method, required = PCGrad(seed=1), set()
    state = method.init(gradients[0], 3)
    for _ in range(16):
        surgery.backward(*(weight @ g for g in gradients))
        found.add(tuple(round(x, 4) for x in weight.grad.tolist()))
        weight.grad = None
        direction, state = method.step(gradients, state)
        required.add(tuple(round(x, 4) for x in direction.tolist()))
    assert found == required
    assert len(found) > 1


def test_a_barrier_is_told_the_main_loss() -> None:
    direction, _ = backward(DynamicBarrier(level=0.0), [4.0, 0.0], [-4.0, 4.0], main_loss=8.0)
    # psi = 8, <m, a> = -16, ||m||^2 = 16: mu = 3/2
    assert direction.tolist() == [2.0, 4.0]


def test_micro_batches_add_up() -> None:
    weight = leaf()
    surgery = Surgery([weight], PCGrad())
    for part in (0.25, 0.75):
        surgery.accumulate(*(part * weight @ torch.tensor(g) for g in (MAIN, AUX)))
    surgery.combine()
    whole, _ = backward(PCGrad(), MAIN, AUX)
    assert torch.equal(weight.grad, whole)


def test_a_loss_that_does_not_reach_a_parameter_counts_as_zero() -> None:
    first, second = leaf(), leaf()
    surgery = Surgery([first, second], PCGrad())
    surgery.backward(first @ torch.tensor(MAIN), second @ torch.tensor(AUX))
    assert (first.grad.tolist(), second.grad.tolist()) == (MAIN, AUX)


@each
def test_a_scale_of_the_losses_is_seen_by_nobody(method: Any) -> None:
    plain, amp = (begin(method) for _ in range(2))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for x in batches(3):
        for surgery, model, optimizer in (plain, amp):
            used = scaler if surgery is amp[0] else None
            surgery.backward(*model(x), scaler=used)
            if used is None:
                optimizer.step()
            else:
                used.step(optimizer)
                used.update()
    for p, q in zip(plain[1].parameters(), amp[1].parameters(), strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize("options", [{}, {"project_on": "updated"}, {"rescale": True}], ids=str)
@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_a_hierarchy_is_the_references(options: Any, scale: float) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=scale) if scale > 1 else None
    if scaler is not None:
        scaler.scale(torch.ones(()))  # as it does with a loss
    bloop = HierarchicalBloop([0.5, 0.25], rho=[0.25, 0.125], **options)
    weights = [nn.Parameter(torch.zeros(shape)) for shape in ((40, 5), (3,), ())]
    surgery = Surgery(weights, bloop, losses=3)
    reference = bloop.init([fetch(w).astype("float64") for w in weights], losses=3)
    for seed in range(4):
        gradients = [normal([w.shape for w in weights], 3 * seed + k) for k in range(3)]
        emas = [[x.copy() for x in e] for e in reference.memory]
        required, reference = bloop.step([wide(arrays(g, g)) for g in gradients], reference)
        for k, gradient in enumerate(gradients):
            with surgery.gradient(k):
                for weight, leaf in zip(weights, gradient, strict=True):
                    weight.grad = scale * leaf
        surgery.combine(scaler=scaler)
        sizes = [norm(flat(arrays(g, g))) for g in gradients]
        u, condition = unit_roundoff(arrays(gradients[0], gradients[0])), 1.0
        if seed:
            spans = np.stack([flat(e) / norm(flat(e)) for e in emas])
            condition = float(np.linalg.cond(spans @ spans.T))
        found = flat(arrays([w.grad for w in weights], weights)) / scale
        bound = hierarchy_gram_bound(u, found.size, sizes, condition)
        require_close("direction", found, flat(required), bound)
        for own, other in zip(surgery.state.memory, reference.memory, strict=True):
            bound = average_drift(u, max(sizes), 0.125)
            require_close("average", flat(arrays(own, weights)), flat(other), bound)
        for weight in weights:
            weight.grad = None


def test_what_cannot_be_done_is_said() -> None:
    weight, name = leaf(), "pcgrad"
    with pytest.raises(TypeError, match="method must be"):
        Surgery([weight], name)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="required 2, found 3"):
        Surgery([weight], AGem(), losses=3)
    surgery = Surgery([weight], AGem())
    with pytest.raises(ValueError, match="loss must be one of 0 to 1"):
        surgery.gradient(2)
    with pytest.raises(ValueError, match="losses must be 2"):
        surgery.backward(weight.sum())
    with surgery.gradient(0):
        weight.sum().backward()
    with pytest.raises(RuntimeError, match=r"gradient\(1\) has not been entered"):
        surgery.combine()


def test_the_direction_takes_the_memory_of_the_last_gradient() -> None:
    weight = leaf()
    surgery = Surgery([weight], PCGrad())
    places = []
    for k, g in enumerate((MAIN, AUX)):
        with surgery.gradient(k):
            (weight @ torch.tensor(g)).backward()
            places.append(weight.grad.data_ptr())
    surgery.combine()
    assert weight.grad.data_ptr() == places[1]
