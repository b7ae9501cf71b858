"""Features of a model or a method in the loops that others own, each step judged."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

import bloop_ref
from bloop_ref.surgery import PCGrad
from bloop_torch import Surgery
from tests.torch.altered import adapted, compiled, frozen, recomputed
from tests.torch.loop_features import three
from tests.torch.loops import LAM, RHO, Judge
from tests.torch.loops_of_others import (
    STEPS,
    Setting,
    in_accelerate,
    in_lightning,
    in_trainer,
    setting,
)
from tests.torch.models import batches, two_losses

# each is raised by a framework's own code, or about the machine
pytestmark = [
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated"),
]


LOOPS: dict[str, Callable[[Setting, Path], Surgery]] = {
    "Lightning": in_lightning,
    "Accelerate": in_accelerate,
    "Trainer": in_trainer,
}
each_loop = pytest.mark.parametrize("loop", LOOPS)


def require_references_steps(loop: str, folder: Path, **options: Any) -> None:
    judge = Judge()
    with judge.watching():
        surgery = LOOPS[loop](setting(judge, **options), folder)
    assert judge.steps == surgery.count == STEPS


def two_batches(model: Any, batch: Any) -> tuple[Tensor, Tensor]:
    x, u = batch
    return model(x)[0], model(u)[1]


@each_loop
def test_two_batches_of_two_data_sets(loop: str, tmp_path: Path) -> None:
    every = list(batches(2 * STEPS))
    data = TensorDataset(torch.cat(every[::2]), torch.cat(every[1::2]))
    require_references_steps(loop, tmp_path, forward=two_batches, data=data)


@pytest.fixture
def fresh() -> Iterator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@each_loop
@pytest.mark.usefixtures("fresh")
def test_compiled_models(loop: str, tmp_path: Path) -> None:
    require_references_steps(loop, tmp_path, wrap=compiled)


@each_loop
def test_activation_checkpointing(loop: str, tmp_path: Path) -> None:
    require_references_steps(loop, tmp_path, prepare=recomputed)


@each_loop
def test_adapters_of_a_frozen_base(loop: str, tmp_path: Path) -> None:
    require_references_steps(loop, tmp_path, prepare=adapted)


@each_loop
def test_frozen_parameters(loop: str, tmp_path: Path) -> None:
    require_references_steps(loop, tmp_path, prepare=frozen)


@each_loop
def test_more_losses_and_other_methods(loop: str, tmp_path: Path) -> None:
    options: Any = {"forward": three, "method": PCGrad(LAM, seed=0), "losses": 3}
    found = LOOPS[loop](setting(None, **options), tmp_path)
    assert found.count == STEPS
    assert found.method == options["method"]


@each_loop
def test_a_step_without_an_auxiliary_loss(loop: str, tmp_path: Path) -> None:
    def sometimes(model: Any, x: Tensor) -> Any:
        main, aux = model(x)
        calls.append(1)
        return main, (aux if len(calls) % 2 else None)

    calls: list[int] = []
    surgery = LOOPS[loop](setting(None, forward=sometimes), tmp_path)
    assert surgery.count == len(calls) == STEPS
    assert int(surgery.skipped) == 0


@each_loop
def test_steps_between(loop: str, tmp_path: Path) -> None:
    def seen(model: Any, x: Tensor) -> Any:
        inputs.append(x)
        return model(x)

    inputs: list[Tensor] = []
    method = bloop_ref.Bloop(LAM, RHO, every=2)
    found = LOOPS[loop](setting(None, forward=seen, method=method), tmp_path)
    alone = two_losses()
    optimizer = torch.optim.SGD(alone.parameters(), lr=0.1)
    surgery = Surgery(alone.named_parameters(), method)
    for x in inputs:
        surgery.backward(*alone(x))
        optimizer.step()
    assert found.count == len(inputs) == STEPS
    pairs = zip(found.parameters.values(), alone.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


@each_loop
def test_a_bad_batch_moves_neither_average_nor_weight(loop: str, tmp_path: Path) -> None:
    def spoiled(model: Any, x: Tensor) -> Any:
        main, aux = model(x)
        calls.append(1)
        if len(calls) == STEPS:
            before.extend(p.detach().clone() for p in model.parameters())
            main = main * torch.inf
        return main, aux

    calls: list[int] = []
    before: list[Tensor] = []
    surgery = LOOPS[loop](setting(None, forward=spoiled), tmp_path)
    assert int(surgery.skipped) == 1
    (average,) = surgery.state.memory
    assert all(bool(e.isfinite().all()) for e in average if e is not None)
    pairs = zip(surgery.parameters.values(), before, strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)
