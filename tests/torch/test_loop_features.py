"""Features of a model or a method in the loops that others own, each step judged."""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import bloop_ref
from bloop_ref.surgery import Method, PCGrad
from bloop_torch import Surgery
from bloop_torch.integrations.lightning import SurgeryModuleMixin
from bloop_torch.integrations.transformers import SurgeryTrainerMixin
from tests.torch.distributed_loop import Forward
from tests.torch.loop_features import adapted, compiled, frozen, recomputed, three, two
from tests.torch.loops import LAM, RHO, Judge, schedule
from tests.torch.models import batches, two_losses

accelerate: Any = pytest.importorskip("accelerate", reason="accelerate is not installed")
lightning: Any = pytest.importorskip("lightning", reason="lightning is not installed")
transformers: Any = pytest.importorskip("transformers", reason="transformers is not installed")

# each is raised by a framework's own code, or about the machine
pytestmark = [
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated"),
]
STEPS = 4


class Setting(NamedTuple):
    """A model, its losses, a method, and data for some steps of one batch each."""

    net: Any
    model: Any
    forward: Forward
    method: Method
    losses: int
    data: Any
    judge: Judge | None

    def look(self, x: Any) -> Any:
        """Return the losses of a batch, and show others with a graph of their own to the judge."""
        if self.judge is not None:
            self.judge.see(self.net, self.forward(self.model, x))
        return self.forward(self.model, x)


def in_lightning(setting: Setting, folder: Path) -> Surgery:
    class Module(SurgeryModuleMixin, lightning.LightningModule):  # type: ignore[misc]
        method, losses = setting.method, setting.losses

        def __init__(self) -> None:
            super().__init__()
            self.net = setting.net

        def training_step(self, batch: Any, _: int) -> Any:
            return self.surgery_loss(*setting.look(batch[0] if len(batch) == 1 else batch))

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    switches = ("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing")
    options: Any = dict.fromkeys(switches, False) | {"default_root_dir": folder}
    module = Module()
    trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", **options)
    trainer.fit(module, DataLoader(setting.data, batch_size=8))
    return module.surgery


def in_accelerate(setting: Setting, folder: Path) -> Surgery:
    del folder
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = accelerate.Accelerator(cpu=True)
    optimizer, loader = accelerator.prepare(
        torch.optim.SGD(setting.net.parameters(), lr=0.1), DataLoader(setting.data, batch_size=8)
    )
    surgery = Surgery(setting.net.named_parameters(), setting.method, losses=setting.losses)
    for batch in loader:
        with accelerator.accumulate():
            surgery.backward(*setting.look(batch[0] if len(batch) == 1 else batch))
            optimizer.step()
    return surgery


class Named(torch.utils.data.Dataset[Any]):
    """Examples by the names that a collator knows."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, k: int) -> Any:
        return dict(zip(("x", "u"), self.data[k], strict=False))


def in_trainer(setting: Setting, folder: Path) -> Surgery:
    class Mine(SurgeryTrainerMixin, transformers.Trainer):  # type: ignore[misc]
        def compute_losses(self, model: nn.Module, inputs: dict[str, Any]) -> Any:
            batch = list(inputs.values())
            return setting.look(batch[0] if len(batch) == 1 else batch)

    arguments = transformers.TrainingArguments(
        str(folder),
        use_cpu=True,
        max_steps=STEPS,
        optim="sgd",
        learning_rate=0.1,
        lr_scheduler_type="constant",
        max_grad_norm=0.0,
        report_to=[],
        disable_tqdm=True,
        save_strategy="no",
        remove_unused_columns=False,
    )
    trainer = Mine(
        setting.net,
        arguments,
        train_dataset=Named(setting.data),
        method=setting.method,
        losses=setting.losses,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    return trainer.surgery


LOOPS: dict[str, Callable[[Setting, Path], Surgery]] = {
    "Lightning": in_lightning,
    "Accelerate": in_accelerate,
    "Trainer": in_trainer,
}
each_loop = pytest.mark.parametrize("loop", LOOPS)


def setting(judge: Judge | None, **options: Any) -> Setting:
    net = options.pop("prepare", lambda model: model)(two_losses())
    model = options.pop("wrap", lambda model: model)(net)
    given: dict[str, Any] = {
        "forward": two,
        "method": bloop_ref.Bloop(schedule, RHO),
        "losses": 2,
        "data": TensorDataset(torch.cat(list(batches(STEPS)))),
    }
    return Setting(net, model, judge=judge, **(given | options))


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
