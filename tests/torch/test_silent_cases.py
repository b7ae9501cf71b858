"""Ways to train silently wrong: each gives an error before it does harm, or the right result."""

from typing import Any

import pytest
import torch
from torch import nn

import bloop_ref
from bloop_ref import HierarchicalBloop
from bloop_ref.surgery import PCGrad, PerLeaf, SamGS
from bloop_torch import Bloop, Surgery
from tests.torch.models import (
    batches,
    copies,
    gradients,
    require_like_reference,
    same,
    two_losses,
)

LAM, RHO = 0.5, 0.25
METHODS = (
    bloop_ref.Bloop(LAM, RHO),
    HierarchicalBloop([LAM], RHO),
    PCGrad(),
    PerLeaf(bloop_ref.Bloop(LAM, RHO)),
    SamGS(),
)

each = pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)


def begin(**options: Any) -> Any:
    model = two_losses()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    return model, optimizer, Bloop(model.named_parameters(), lam=LAM, rho=RHO, **options)


def checked(bloop: Any, *losses: Any) -> None:
    """Take a step, which must be the reference's."""
    expected = gradients(losses, list(bloop.parameters.values()))
    require_like_reference(bloop, expected, lambda: bloop.backward(*losses))


@each
@pytest.mark.parametrize("bad", [0, 1])
@pytest.mark.parametrize("reading", [True, False])
def test_one_bad_batch_moves_no_weight(method: Any, bad: int, reading: Any, request: Any) -> None:
    if not reading:
        request.getfixturevalue("unread")
    model = two_losses()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    surgery = Surgery(model.named_parameters(), method)
    for k, x in enumerate(batches(3)):
        losses = list(model(x))
        if k == 1:
            losses[bad] = losses[bad] * torch.inf
        before = copies((list(model.parameters()), optimizer.state_dict()["state"]))
        surgery.backward(*losses)
        optimizer.step()
        assert surgery.withheld is (k == 1)
        if k == 1:
            assert same(before, (list(model.parameters()), optimizer.state_dict()["state"]))
    assert not same(before[0], list(model.parameters()))
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("everywhere", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_bad_auxiliary_gradient_leaves_the_average_to_the_main_one(
    everywhere: bool, dtype: Any
) -> None:
    model = two_losses(dtype)
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    (x,) = batches(1, dtype)
    main, aux = model(x)
    # or in a head alone, of which no inner product has anything
    bad = aux * torch.nan if everywhere else aux + model.aux_head.bias[0] * torch.nan
    bloop.backward(main, bad)
    expected, _ = gradients(model(x), list(model.parameters()))
    for e, g in zip(bloop.ema.values(), [g for g in expected if g is not None], strict=True):
        assert torch.equal(e, RHO * g.float())
    assert bloop.withheld
    assert int(bloop.skipped) == 0


def test_no_leaf_moves_where_another_raises() -> None:
    weights = [nn.Parameter(torch.ones(2)) for _ in range(2)]
    surgery = Surgery(weights, PerLeaf(bloop_ref.Bloop(LAM, RHO, nonfinite="raise")))
    with pytest.raises(FloatingPointError, match=r"^gradient\(0\) must be finite"):
        surgery.backward(weights[0].sum() + weights[1].sum() * torch.inf, weights[0].sum())
    assert not any(state.memory[0].any() for state in surgery.state)
    surgery.backward(weights[0].sum(), weights[1].sum())


def test_a_second_backward_overwrites_nothing() -> None:
    model, optimizer, bloop = begin()
    first, second = batches(2)
    bloop.backward(*model(first))
    left, state = copies([p.grad for p in model.parameters()]), copies(bloop.state_dict())
    for again in (bloop.backward, bloop.accumulate):
        with pytest.raises(RuntimeError, match=r"still in \.grad"):
            again(*model(second))
    assert same(left, [p.grad for p in model.parameters()])
    assert same(state, bloop.state_dict())
    optimizer.step()
    checked(bloop, *model(second))


def test_a_parameter_that_bloop_has_not_is_cleared_or_refused() -> None:
    model, optimizer, bloop = begin()
    head: Any = nn.Parameter(torch.ones(3))
    optimizer.add_param_group({"params": [head]})
    inputs = list(batches(3))
    for x in inputs[:2]:
        main, aux = model(x)
        optimizer.zero_grad()
        bloop.backward(main + head.square().sum(), aux)
        assert torch.equal(head.grad, 2 * head)
        optimizer.step()
    kept = head.grad
    head.grad = kept.clone()  # is another gradient
    for to_none in (False, True):
        main, aux = model(inputs[2])
        bloop.backward(main + head.square().sum(), aux)
        optimizer.step()
        optimizer.zero_grad(set_to_none=to_none)
    head.grad = torch.ones(3)
    optimizer.step()
    weights = copies(list(model.parameters()))
    with pytest.raises(RuntimeError, match=r"param_groups\[1\]\['params'\]\[0\] the first"):
        bloop.backward(*model(inputs[2]))
    assert same(weights, list(model.parameters()))


@pytest.mark.parametrize("lam", [2.0, lambda count: 1.0 / (1 + count)], ids=["number", "function"])
def test_numbers_that_are_set_count(lam: Any) -> None:
    model, optimizer, bloop = begin()
    first, second = batches(2)
    checked(bloop, *model(first))
    optimizer.step()
    bloop.lam, bloop.rho = lam, 0.75
    assert (bloop.lam, bloop.rho) == (lam, 0.75)
    checked(bloop, *model(second))
    assert bloop.state_dict()["hyperparameters"]["rho"] == 0.75


def test_a_method_may_be_replaced_by_one_with_the_same_memory() -> None:
    model, optimizer, bloop = begin()
    first, second = batches(2)
    checked(bloop, *model(first))
    optimizer.step()
    bloop.method = bloop_ref.Bloop(LAM, RHO, project_on="updated", init="first")
    checked(bloop, *model(second))
    model, _, bloop = begin()
    bloop.method = bloop_ref.Bloop(LAM, RHO, project_on="updated", init="first")
    checked(bloop, *model(first))
    surgery = Surgery(model.parameters(), PCGrad())
    surgery.method = bloop_ref.surgery.AGem()
    for other in (SamGS(), PerLeaf(PCGrad()), bloop_ref.surgery.GradVac(beta=0.5)):
        with pytest.raises(ValueError, match="method must remember what AGem does"):
            surgery.method = other
    with pytest.raises(TypeError, match="method must be"):
        surgery.method = "agem"  # type: ignore[assignment]


@each
@pytest.mark.parametrize("nothing", [None, 0, 0.0], ids=str)
def test_a_step_without_an_auxiliary_loss(method: Any, nothing: Any) -> None:
    model, other = two_losses(), two_losses()
    surgery, reference = (Surgery(m.named_parameters(), method) for m in (model, other))
    for k, x in enumerate(batches(3)):
        main, aux = model(x)
        surgery.backward(main, aux if k == 0 else nothing)
        main, aux = other(x)
        reference.backward(main, aux if k == 0 else 0 * other.trunk.bias.sum())
        reached = [n for n, p in model.named_parameters() if p.grad is not None]
        pairs = ((m.get_parameter(n).grad for m in (model, other)) for n in reached)
        assert all(same(*pair) for pair in pairs)
        assert len(reached) == (6 if k == 0 else 4)
        model.zero_grad()
        other.zero_grad()


def test_micro_batches_of_which_one_has_no_auxiliary_loss() -> None:
    model, _, bloop = begin()
    first, second = batches(2)
    expected = gradients(
        (model(first)[0] + model(second)[0], model(second)[1]), list(model.parameters())
    )

    def step() -> None:
        bloop.accumulate(model(first)[0], None)
        bloop.backward(*model(second))

    require_like_reference(bloop, expected, step)


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_a_parameter_that_no_loss_trains_any_more_is_not_moved(dtype: Any, frozen: bool) -> None:
    shared: Any = nn.Parameter(torch.ones(3, dtype=dtype))
    other: Any = nn.Parameter(torch.ones(1, dtype=dtype))
    bloop = Bloop([shared, other], lam=1.0, rho=0.5)
    bloop.backward(shared.sum() + other.sum(), shared.sum())
    shared.grad = other.grad = None
    other.requires_grad_(not frozen)
    bloop.backward(shared[0], shared[1])  # e = (1, 1, 1, 1) / 2: its part in (0, 1, 0, 0) is e / 2
    assert other.grad is None
    assert shared.grad.tolist() == [0.75, 0.75, -0.25]
    assert [e.tolist() for e in bloop.ema.values()] == [[0.75, 0.25, 0.25], [0.25]]
