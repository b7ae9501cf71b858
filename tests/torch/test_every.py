"""Steps with one backward pass (``every=m``) in a training loop, and their backward passes."""

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import bloop_ref
from bloop_proofs.laws.measure import require_close
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import average_bound, direction_bound, norm, unit_roundoff
from bloop_ref import every
from bloop_torch import Bloop, Surgery
from tests.torch.agreement import arrays, fetch
from tests.torch.models import batches, same, two_losses

LAM, RHO, M, KAPPA = 0.5, 0.25, 3, 0.5
OPTIONS: dict[str, Any] = {"every": M, "kappa": KAPPA}


def taken(params: Iterable[nn.Parameter]) -> list[Any]:
    """Return the direction, and clear it, as the next step wants it."""
    found = [p.grad for p in params]
    for p in params:
        p.grad = None
    return found


class Twin:
    """The reference on float64 arrays, held beside a loop step by step."""

    def __init__(self, params: list[nn.Parameter], **options: Any) -> None:
        self.method = bloop_ref.Bloop(LAM, RHO, **{**OPTIONS, **options})
        self.params = params
        self.state = self.method.init([fetch(p).astype(np.float64) for p in params])

    def gradients(self, *losses: Tensor) -> list[list[np.ndarray]]:
        taken = losses
        if not self.method.full(int(self.state.count)):
            taken = (losses[0] + LAM * losses[1],)
        grads = [
            torch.autograd.grad(x, self.params, retain_graph=True, allow_unused=True) for x in taken
        ]
        return [[x.astype(np.float64) for x in arrays(g, self.params)] for g in grads]

    def require(self, bloop: Bloop, gradients: Any) -> None:
        """Hold direction and memory to the reference; both saw gradients in float32."""
        before = self.state
        direction, self.state = self.method.step(gradients, before)
        u = unit_roundoff(arrays(self.params, self.params))
        sizes = [norm(flat(v)) for v in (*gradients, *before.memory)]
        n, most = flat(gradients[0]).size, max(sizes[1:])
        room = direction_bound(u, n, sizes[0], most, LAM)
        room += average_bound(u, u, max(sizes), most, RHO) * (1 + bloop.count)
        ema, held = ([of.get(n) for n in bloop.parameters] for of in (bloop.ema, bloop.held))
        found = {"direction": [p.grad for p in self.params], "ema": ema, "held": held}
        for (name, x), y in zip(found.items(), (direction, *self.state.memory), strict=True):
            require_close(name, flat(arrays(x, self.params)), flat(y), room)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count backward passes."""
    found: list[int] = []
    original = torch.autograd.backward

    def backward(*args: Any, **kwargs: Any) -> None:
        found.append(1)
        original(*args, **kwargs)

    monkeypatch.setattr(torch.autograd, "backward", backward)
    return found


@pytest.mark.parametrize("shared", [True, False])
def test_a_step_between_makes_one_pass_and_is_the_references(
    passes: list[int], shared: bool
) -> None:
    model = two_losses()
    params = list(model.parameters())
    bloop, twin = Bloop(params, lam=LAM, rho=RHO, **OPTIONS), Twin(params)
    optimizer = torch.optim.SGD(params, lr=0.1)
    for x in batches(5):
        gradients = twin.gradients(*model(x))
        losses = model(x) if shared else (model(x)[0], model(x)[1])
        bloop.backward(*losses, shared_graph=shared)
        twin.require(bloop, gradients)
        optimizer.step()
    assert len(passes) == 5 + 2


def test_micro_batches_and_phases_of_a_step_between() -> None:
    """``accumulate`` over two halves, and the context that gathers the same by hand."""
    model = two_losses()
    params = list(model.parameters())
    owners = [Bloop(params, lam=LAM, rho=RHO, **OPTIONS) for _ in range(2)]
    for x in batches(3):
        halves = [[loss / 2 for loss in model(part)] for part in x.chunk(2)]
        found = []
        for losses in halves:
            owners[0].accumulate(*losses)
        owners[0].combine()
        found.append(taken(params))
        with owners[1].mixed_gradient() if owners[1].count else owners[1].main_gradient():
            for part in x.chunk(2):
                main, aux = model(part)
                (main / 2 + (LAM * aux / 2 if owners[1].count else 0)).backward()
        if not owners[1].count:
            with owners[1].aux_gradient():
                for part in x.chunk(2):
                    (model(part)[1] / 2).backward()
        owners[1].combine()
        found.append(taken(params))
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other)


def test_lam_is_that_of_the_step() -> None:
    weight = nn.Parameter(torch.ones(1))
    lams = [1.0, 2.0, 4.0]
    bloop = Bloop([weight], lam=lambda t: lams[t], rho=0.0, every=3)
    found = []
    for _ in lams:
        bloop.backward(weight[0], 3 * weight[0])
        found += [d.item() for d in taken([weight])]
    assert found == [1 + 3 * lam for lam in lams]


def test_more_steps_may_be_full_but_not_fewer() -> None:
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    bloop = Bloop([weight], lam=1.0, rho=0.5, **OPTIONS)
    with pytest.raises(ValueError, match=r"every=3: required 2 in step 0, found 1$"):
        bloop.mixed_gradient()
    bloop.backward(weight[0], weight[1])
    taken([weight])
    with bloop.main_gradient():
        weight[0].backward()
    with bloop.aux_gradient():
        (2 * weight[1]).backward()
    bloop.combine()
    taken([weight])
    assert [x.tolist() for x in bloop.held.values()] == [[0.0, 1.5]]
    with bloop.mixed_gradient():
        weight[0].backward()
    with bloop.main_gradient():
        weight[0].backward()
    with pytest.raises(RuntimeError, match=r"^combine takes mixed_gradient\(\) alone or .* main_"):
        bloop.combine()
    plain = Bloop([weight], lam=1.0, rho=0.5)
    with pytest.raises(ValueError, match=r"^mixed_gradient\(\) needs .* found every=1$"):
        plain.mixed_gradient()
    assert plain.held == {}


def test_bad_gradients_and_the_wait_for_the_first() -> None:
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    bloop = Bloop([weight], lam=1.0, rho=0.5, every=2)
    bloop.backward(weight[0], weight[1] * torch.nan)
    assert weight.grad is None
    assert bloop.withheld
    bloop.backward(weight[0], weight[1])
    assert not bloop.withheld
    (found,) = taken([weight])
    assert (found.tolist(), int(bloop.skipped)) == ([1.0, 1.0], 2)
    assert not any(x.any() for x in (*bloop.ema.values(), *bloop.held.values()))
    bloop.backward(weight[0], 2 * weight[1])
    taken([weight])
    assert [x.tolist() for x in bloop.held.values()] == [[0.0, 2.0]]
    bloop.backward(weight[0] * torch.inf, weight[1])
    assert [x.tolist() for x in (*bloop.ema.values(), *bloop.held.values())] == [[0.5, 0], [0, 2]]
    assert int(bloop.skipped) == 3


def test_a_loss_scale_and_diagnostics() -> None:
    """Under a scaler the direction is scaled, the memory is not; both kinds of steps report."""
    model = two_losses()
    params = list(model.parameters())
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    bloop, twin = Bloop(params, lam=LAM, rho=RHO, **OPTIONS), Twin(params)
    kinds = []
    for x in batches(4):
        gradients = twin.gradients(*model(x))
        expected = twin.method.diagnostics(gradients, twin.state)
        found = bloop.backward(*model(x), scaler=scaler, diagnostics=True)
        for p in params:
            assert p.grad is not None
            p.grad /= 8
        twin.require(bloop, gradients)
        taken(params)
        assert type(found) is type(expected)
        kinds.append(type(found))
    assert kinds == [every.FullStep, every.StepBetween, every.StepBetween, every.FullStep]


def test_a_run_goes_on_from_its_state() -> None:
    """Saved between two steps between, by way of a file: bit for bit."""
    model = two_losses()
    params = list(model.parameters())
    whole, half = (Bloop(params, lam=LAM, rho=RHO, **OPTIONS) for _ in range(2))
    found: list[list[Any]] = [[], []]
    for t, x in enumerate(batches(6)):
        whole.backward(*model(x))
        found[0].append(taken(params))
        if t == 2:
            file = io.BytesIO()
            torch.save(half.state_dict(), file)
            file.seek(0)
            half = Bloop(params, lam=LAM, rho=RHO, **OPTIONS)
            half.load_state_dict(torch.load(file, weights_only=True))
        half.backward(*model(x))
        found[1].append(taken(params))
    assert same(*found)
    with pytest.raises(ValueError, match="every=3, stored 2"):
        whole.load_state_dict(Bloop(params, lam=LAM, rho=RHO, every=2).state_dict())


def test_surgery_takes_the_method_too(passes: list[int]) -> None:
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    surgery = Surgery([weight], bloop_ref.Bloop(0.5, 0.5, every=2))
    for _ in range(4):
        surgery.backward(weight[0], weight[1])
        taken([weight])
    assert len(passes) == 6


def test_parameters_that_one_loss_does_not_reach() -> None:
    """A has no entry where the auxiliary loss has none, e none where neither has one."""
    main_only, aux_only, unused = (nn.Parameter(torch.ones(1)) for _ in range(3))
    named = {"main": main_only, "aux": aux_only, "unused": unused}
    bloop = Bloop(named.items(), lam=0.5, rho=0.5, every=2)
    for _ in range(3):
        bloop.backward((2 * main_only).sum(), (4 * aux_only).sum())
        grads = [None if d is None else d.item() for d in taken(named.values())]
        assert grads == [2.0, 2.0, None]
    assert {name: x.item() for name, x in bloop.held.items()} == {"aux": 4.0}
    assert {name: x.item() for name, x in bloop.ema.items()} == {"main": 1.75, "aux": 0.0}
