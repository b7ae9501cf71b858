"""Lightning on two losses, with either optimisation, every step judged by the reference."""

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

import bloop_ref
from bloop_ref.surgery import Method, PCGrad
from bloop_torch.integrations.lightning import SurgeryModuleMixin
from tests.torch.loops import RHO, Judge, schedule
from tests.torch.models import batches, two_losses
from tests.torch.test_guide import the_block

lightning: Any = pytest.importorskip("lightning", reason="lightning is not installed")

# each is raised by Lightning's own code, or about the machine
pytestmark = [
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning"),
]
MOST_NORM, MICRO_BATCHES, BATCHES = 0.4, 2, 5
"""An epoch has two steps of two micro-batches, and one of one."""


class Automatic(SurgeryModuleMixin, lightning.LightningModule):  # type: ignore[misc]
    method: Method = bloop_ref.Bloop(schedule, RHO)

    def __init__(self, judge: Judge | None = None) -> None:
        super().__init__()
        self.net, self.judge = two_losses(), judge

    def training_step(self, batch: list[Tensor], _: int) -> Any:
        if self.judge is not None:
            self.judge.see(self.net, self.net(batch[0]))
        return self.surgery_loss(*self.net(batch[0]))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Manual(Automatic):
    def __init__(self, judge: Judge | None = None) -> None:
        super().__init__(judge)
        self.automatic_optimization = False

    def training_step(self, batch: list[Tensor], index: int) -> None:
        losses = self.net(batch[0])
        if self.judge is not None:
            self.judge.see(self.net, self.net(batch[0]))
        for k, loss in enumerate(losses):
            with self.surgery.gradient(k):
                self.manual_backward(loss / MICRO_BATCHES, retain_graph=k == 0)
        if (index + 1) % MICRO_BATCHES == 0 or self.trainer.is_last_batch:
            found = self.surgery.combine(diagnostics=True)
            assert found is not None
            self.log("cos_main_aux", found.cos_main_aux)
            self.clip_gradients(self.optimizers(), gradient_clip_val=MOST_NORM)
            self.optimizers().step()


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., Any]:
    """Return what trains a module for some epochs, and returns the trainer."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    def run(module: Any, epochs: int, start: Any = None, **options: Any) -> Any:
        if module.automatic_optimization:
            options |= {"accumulate_grad_batches": MICRO_BATCHES, "gradient_clip_val": MOST_NORM}
        trainer = lightning.Trainer(
            max_epochs=epochs,
            accelerator="cpu",
            logger=options.pop("logger", False),
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            default_root_dir=tmp_path,
            log_every_n_steps=1,
            **options,
        )
        data = DataLoader(TensorDataset(torch.cat(list(batches(BATCHES)))), batch_size=8)
        trainer.fit(module, data, ckpt_path=start)
        return trainer

    return run


@pytest.mark.parametrize("kind", [Automatic, Manual])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_every_step_is_the_references_with_accumulation_and_clipping(
    kind: Any, precision: str, fit: Any
) -> None:
    judge = Judge(most_norm=MOST_NORM, divisor=MICRO_BATCHES)
    module = kind(judge)
    with judge.watching():
        fit(module, 2, precision=precision)
    assert judge.sizes == [2, 2, 1, 2, 2, 1]
    assert judge.steps == module.surgery.count == 6
    assert judge.clipped > 0


def test_a_scaler_scales_every_loss_and_the_average_is_unscaled(fit: Any) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    plugin = lightning.pytorch.plugins.MixedPrecision("16-mixed", "cpu", scaler=scaler)
    judge = Judge(most_norm=MOST_NORM, divisor=MICRO_BATCHES, scaler=lambda: scaler)
    with judge.watching():
        fit(Automatic(judge), 1, plugins=[plugin])
    assert judge.sizes == [2, 2, 1]
    assert judge.steps == 3


@pytest.mark.parametrize("kind", [Automatic, Manual])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(
    kind: Any, fit: Any, tmp_path: Path
) -> None:
    whole, begun, resumed = kind(), kind(), kind()
    fit(whole, 3)
    fit(begun, 2).save_checkpoint(tmp_path / "saved.ckpt")
    fit(resumed, 3, tmp_path / "saved.ckpt")
    assert resumed.surgery.count == whole.surgery.count == 9
    pairs = zip(whole.parameters(), resumed.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)
    (average,), (other,) = whole.surgery.state.memory, resumed.surgery.state.memory
    assert all(
        e is f or torch.equal(e, f) for e, f in zip(average, other, strict=True)
    )  # the auxiliary head has none
    # for its parameters alone, a checkpoint is loaded without the state
    assert kind.load_from_checkpoint(tmp_path / "saved.ckpt")._surgery is None


def test_a_second_fit_goes_on_in_the_processes_that_it_has(fit: Any, monkeypatch: Any) -> None:
    module = Automatic()
    fit(module, 1)
    first, replicas = module.surgery, SimpleNamespace(require_backward_grad_sync=True)
    monkeypatch.setattr("bloop_torch.integrations.lightning._synchronised", lambda _: replicas)
    fit(module, 1)
    assert not replicas.require_backward_grad_sync
    assert module.surgery is not first
    assert module.surgery.count == 6


def test_a_checkpoint_without_the_state_is_refused(fit: Any, tmp_path: Path) -> None:
    class Without(Automatic):
        def on_save_checkpoint(self, checkpoint: Any) -> None:
            pass

    fit(Without(), 1).save_checkpoint(tmp_path / "saved.ckpt")
    with pytest.raises(ValueError, match="ckpt_path must be a checkpoint with 'surgery'"):
        fit(Automatic(), 2, tmp_path / "saved.ckpt")


def test_a_sharded_module_is_not_saved_by_one_process(fit: Any, monkeypatch: Any) -> None:
    trainer = fit(Automatic(), 1)
    monkeypatch.setattr("bloop_torch.integrations.lightning.is_sharded", lambda _: True)
    with pytest.raises(NotImplementedError, match=r"save self\.surgery\.state_dict\(\) with torch"):
        trainer.save_checkpoint("nowhere")


def test_the_logger_gets_norms_and_cosines(fit: Any, tmp_path: Path) -> None:
    names = {"norm_main", "norm_aux", "norm_ema", "cos_main_aux", "cos_main_ema", "cos_aux_ema"}
    module = Automatic()
    module.log_surgery = True
    logger = lightning.pytorch.loggers.CSVLogger(tmp_path)
    trainer = fit(module, 1, logger=logger)
    assert names <= set(trainer.logged_metrics)
    assert names <= set(
        (Path(logger.log_dir) / "metrics.csv").read_text().split("\n")[0].split(",")
    )
    assert "cos_main_aux" in fit(Manual(), 1).logged_metrics


def test_other_methods_and_more_losses_by_their_value(fit: Any) -> None:
    class Three(Automatic):
        method, losses = PCGrad(seed=0), 3

        def training_step(self, batch: list[Tensor], _: int) -> Any:
            main, aux = self.net(batch[0])
            return self.surgery_loss(main, aux, main * aux)

    module = Three()
    fit(module, 1)
    assert module.surgery.count == 3


def test_a_loss_of_which_the_mixin_has_not_heard_is_refused(fit: Any) -> None:
    class Forgetful(Automatic):
        def training_step(self, batch: list[Tensor], _: int) -> Any:
            return sum(self.net(batch[0]))

    with pytest.raises(RuntimeError, match=r"training_step must return self\.surgery_loss"):
        fit(Forgetful(), 1)


def test_the_block_of_the_guide_trains(fit: Any) -> None:
    scope: dict[str, Any] = {
        "bloop_ref": bloop_ref,
        "SurgeryModuleMixin": SurgeryModuleMixin,
        "LightningModule": lightning.LightningModule,
        "losses": lambda net, batch: net(batch[0]),
    }
    exec(the_block("class Digits"), scope)

    printed: Any = scope["Digits"]

    class Trained(printed):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = two_losses()

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    module = Trained()
    fit(module, 1)
    assert module.surgery.count == 3  # two steps of two micro-batches, and one of one
    assert not torch.equal(*(next(iter(net.parameters())) for net in (module.net, two_losses())))
