"""A main and an auxiliary batch of different data, a phase each: one graph at a time."""

import copy
from typing import Any

import torch
from torch import Tensor

from bloop_torch import Bloop
from tests.torch.loops import LAM, RHO, Judge
from tests.torch.models import TwoLosses, batches, two_losses

MOST_NORM, MICRO_BATCHES = 0.4, 2


class Run:
    """A model that takes its main loss from one data set, and its auxiliary loss from another."""

    def __init__(self) -> None:
        self.model = two_losses()
        self.bloop = Bloop(self.model.named_parameters(), lam=LAM, rho=RHO)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def step(self, mains: list[Tensor], auxes: list[Tensor]) -> None:
        with self.bloop.main_gradient():
            for x in mains:
                (self.model(x)[0] / len(mains)).backward()
        with self.bloop.aux_gradient():
            for x in auxes:
                (self.model(x)[1] / len(auxes)).backward()
        self.bloop.combine()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), MOST_NORM)
        self.optimizer.step()


def data(steps: int) -> list[tuple[list[Tensor], list[Tensor]]]:
    """Return the micro-batches of each step, of the main and of the auxiliary data set."""
    every = list(batches(2 * MICRO_BATCHES * steps))
    halves = [every[k : k + MICRO_BATCHES] for k in range(0, len(every), MICRO_BATCHES)]
    return list(zip(halves[::2], [[x[:5] for x in half] for half in halves[1::2]], strict=True))


def test_every_step_is_the_references_with_accumulation_and_clipping() -> None:
    run, judge = Run(), Judge(most_norm=MOST_NORM)
    with judge.watching():
        for mains, auxes in data(4):
            for x, u in zip(mains, auxes, strict=True):
                judge.see(run.model, (run.model(x)[0], run.model(u)[1]))
            run.step(mains, auxes)
    assert judge.steps == 4
    assert judge.clipped > 0


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit() -> None:
    whole, resumed = Run(), Run()
    steps = data(4)
    for step in steps[:2]:
        whole.step(*step)
    for name in ("model", "bloop", "optimizer"):
        getattr(resumed, name).load_state_dict(copy.deepcopy(getattr(whole, name).state_dict()))
    for step in steps[2:]:
        whole.step(*step)
        resumed.step(*step)
    pairs = zip(whole.model.parameters(), resumed.model.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


class Held:
    """Counts the bytes that autograd keeps for backward passes, and the most that it ever kept."""

    now = most = 0

    def __init__(self, tensor: Tensor) -> None:
        self.tensor, self.size = tensor, tensor.numel() * tensor.element_size()
        Held.now += self.size
        Held.most = max(Held.most, Held.now)

    def __del__(self) -> None:
        Held.now -= self.size


def most_held(run: Any) -> int:
    Held.now = Held.most = 0
    with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
        run()
    assert Held.now == 0
    return Held.most


def test_a_phase_each_keeps_one_graph_at_a_time() -> None:
    model: TwoLosses = two_losses()
    bloop = Bloop(model.named_parameters(), lam=LAM, rho=RHO)
    x, u = torch.randn(64, 6), torch.randn(48, 6)

    def phases() -> None:
        with bloop.main_gradient():
            model(x)[0].backward()
        with bloop.aux_gradient():
            model(u)[1].backward()
        bloop.combine()

    main = most_held(lambda: model(x)[0].backward())
    aux = most_held(lambda: model(u)[1].backward())
    assert most_held(phases) == max(main, aux)
    assert most_held(lambda: (model(x)[0] + LAM * model(u)[1]).backward()) > max(main, aux)
