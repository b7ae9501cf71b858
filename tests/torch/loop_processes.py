"""One of two processes, for ``tests.forked``.

They train by loops that others own, or that have every feature at once, each step judged as it is
taken, and return which checks they have passed, and what the first that failed says.
"""

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "MASTER_ADDR": "localhost"}

import accelerate  # type: ignore[import-untyped]
import lightning
import torch
import torch.distributed as dist
import transformers
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bloop_torch import Bloop
from tests.torch.loop_features import CHECKS
from tests.torch.loops import LAM, RHO, Judge
from tests.torch.models import batches, two_losses
from tests.torch.test_accelerate import MICRO_BATCHES, MOST_NORM
from tests.torch.test_lightning import Automatic, Manual
from tests.torch.test_trainer import trainer

SIZE = 2


def judge(**options: Any) -> Judge:
    return Judge(most_norm=MOST_NORM, divisor=MICRO_BATCHES, processes=SIZE, **options)


def data() -> TensorDataset:
    return TensorDataset(torch.cat(list(batches(4))))


def require_same(model: nn.Module) -> None:
    """Raise unless all processes have the same parameters, to the last bit."""
    for parameter in model.parameters():
        first = parameter.detach().clone()
        dist.broadcast(first, 0)
        assert torch.equal(first, parameter)


def hugging_face_trainer(folder: Path) -> None:
    found = Judge(most_norm=0.3, processes=SIZE)
    trained = trainer(folder, max_steps=4, save_strategy="steps", save_steps=2)
    assert trained.accelerator.num_processes == SIZE
    trained.judge = found
    with found.watching():
        trained.train()
    assert found.steps == 4
    require_same(trained.model)
    resumed = trainer(folder, max_steps=4, save_strategy="no")
    resumed.train(resume_from_checkpoint=str(folder / "checkpoint-2"))
    pairs = zip(trained.model.parameters(), resumed.model.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


def fit(module: Any, folder: Path) -> None:
    automatic = module.automatic_optimization
    clip: Any = {"accumulate_grad_batches": MICRO_BATCHES, "gradient_clip_val": MOST_NORM}
    lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=SIZE,
        strategy=lightning.pytorch.strategies.DDPStrategy(
            find_unused_parameters=not automatic,
            cluster_environment=TorchElasticEnvironment(),
        ),
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=folder,
        **(clip if automatic else {}),
    ).fit(module, DataLoader(data(), batch_size=4))
    require_same(module)


def lightning_automatic(folder: Path) -> None:
    found = judge()
    with found.watching():
        fit(Automatic(found), folder)
    assert found.sizes == [2, 2]


def lightning_manual(folder: Path) -> None:
    found = judge()
    with found.watching():
        fit(Manual(found), folder)
    assert found.sizes == [2, 2]


def hugging_face_accelerate(folder: Path) -> None:
    del folder
    found, net = judge(), two_losses()
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=MICRO_BATCHES)
    model, optimizer, loader = accelerator.prepare(
        net, torch.optim.SGD(net.parameters(), lr=0.1), DataLoader(data(), batch_size=4)
    )
    bloop = Bloop(model.module.named_parameters(), lam=LAM, rho=RHO, average_over=dist.group.WORLD)
    with found.watching():
        for (x,) in loader:
            with accelerator.accumulate(), accelerator.no_sync(model):
                found.see(net, net(x))
                bloop.accumulate(*(loss / MICRO_BATCHES for loss in model(x)))
                if accelerator.sync_gradients:
                    bloop.combine()
                    accelerator.clip_grad_norm_(model.parameters(), MOST_NORM)
                    optimizer.step()
    assert found.sizes == [2, 2]
    require_same(net)


LOOPS: dict[str, Callable[[Path], None]] = {
    f.__name__: f
    for f in (hugging_face_trainer, lightning_automatic, lightning_manual, hugging_face_accelerate)
}


def main(rank: int, size: int, folder: Path) -> tuple[list[str], str]:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(size)}
    os.environ |= {"LOCAL_WORLD_SIZE": str(size), "GROUP_RANK": "0", "ACCELERATE_USE_CPU": "true"}
    passed: list[str] = []
    transformers.utils.logging.set_verbosity_error()
    for name, check in (LOOPS | CHECKS).items():
        try:
            check(folder)
        except Exception:
            return passed, f"{name}, process {rank}: {traceback.format_exc()}"
        passed.append(name)
    return passed, ""
