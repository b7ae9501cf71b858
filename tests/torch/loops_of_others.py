"""One setting in the loops of Lightning, Accelerate and the Trainer."""

import logging
import os
from pathlib import Path
from typing import Any, NamedTuple

os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import bloop_ref
from bloop_ref.surgery import Method
from bloop_torch import Surgery
from bloop_torch.integrations.lightning import SurgeryModuleMixin
from bloop_torch.integrations.transformers import SurgeryTrainerMixin
from tests.torch.distributed_loop import Forward
from tests.torch.loop_features import two
from tests.torch.loops import RHO, Judge, schedule
from tests.torch.models import batches, two_losses

accelerate: Any = pytest.importorskip("accelerate", reason="accelerate is not installed")
lightning: Any = pytest.importorskip("lightning", reason="lightning is not installed")
transformers: Any = pytest.importorskip("transformers", reason="transformers is not installed")

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
