"""The state of a method: bad batches leave it alone; runs are resumed, strangers are refused."""

import copy
import io
from typing import Any

import optree
import pytest
import torch

from bloop_ref.surgery import (
    MetaBalance,
    PCGrad,
    SamGS,
)
from bloop_torch import Surgery
from tests.torch.models import batches
from tests.torch.test_surgery import MAIN, begin, each, leaf


@each
def test_a_bad_batch_leaves_the_state_alone(method: Any) -> None:
    surgery, model, _ = begin(method)
    x, y = batches(2)
    surgery.backward(*model(x))
    model.zero_grad()
    before = copy.deepcopy(surgery.state_dict())
    surgery.backward(*model(y * torch.nan))
    assert surgery.withheld
    assert all(p.grad is None for p in model.parameters())
    after = surgery.state_dict()
    for name in ("memory", "scalars"):
        leaves = (optree.tree_leaves(state[name]) for state in (before, after))
        assert all(torch.equal(*map(torch.as_tensor, pair)) for pair in zip(*leaves, strict=True))
    assert (surgery.count, int(surgery.skipped)) == (2, 1)


def test_a_bad_batch_may_be_let_in_or_raise() -> None:
    bad = [torch.nan, 0.0]
    weight = leaf()
    surgery = Surgery([weight], MetaBalance(nonfinite="propagate"))
    surgery.backward(*(weight @ torch.tensor(g) for g in (MAIN, bad)))
    assert torch.as_tensor(surgery.state.scalars[1]).isnan()
    assert int(surgery.skipped) == 0
    assert weight.grad.isnan().any()
    assert not surgery.withheld
    surgery = Surgery([weight], MetaBalance(nonfinite="raise"))
    with pytest.raises(FloatingPointError, match="must be finite"):
        surgery.backward(*(weight @ torch.tensor(g) for g in (MAIN, bad)))
    assert surgery.count == 0


@each
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(method: Any) -> None:
    inputs = list(batches(6))

    def run(part: Any, surgery: Any, model: Any, optimizer: Any) -> None:
        for x in part:
            surgery.backward(*model(x))
            optimizer.step()

    whole, first, second = (begin(method) for _ in range(3))
    run(inputs, *whole)
    run(inputs[:3], *first)
    file = io.BytesIO()
    torch.save([part.state_dict() for part in first], file)
    file.seek(0)
    for part, state in zip(second, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(state)
    run(inputs[3:], *second)
    for p, q in zip(whole[1].parameters(), second[1].parameters(), strict=True):
        assert torch.equal(p, q)
    assert whole[0].count == second[0].count


def test_a_state_of_another_method_is_refused() -> None:
    surgery, *_ = begin(MetaBalance())
    other, *_ = begin(MetaBalance(beta=0.5))
    with pytest.raises(ValueError, match=r"another method or other.*beta=0\.5, stored 0\.9"):
        other.load_state_dict(surgery.state_dict())
    other.load_state_dict(surgery.state_dict(), on_change="keep")
    with pytest.raises(ValueError, match="scalars of these shapes"):
        begin(SamGS())[0].load_state_dict(surgery.state_dict(), on_change="keep")
    with pytest.raises(ValueError, match="it lacks"):
        surgery.load_state_dict({})


def test_a_state_is_taken_between_steps() -> None:
    surgery, model, _ = begin(PCGrad())
    (x,) = batches(1)
    surgery.accumulate(*model(x))
    with pytest.raises(RuntimeError, match="between steps"):
        surgery.state_dict()
