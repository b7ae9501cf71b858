"""Hugging Face's Trainer on two losses, every step of it judged by the reference."""

import os
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported

import pytest
import torch
from torch import Tensor, nn

import bloop_ref
from bloop_ref import Bloop
from bloop_ref.surgery import PCGrad
from bloop_torch.integrations.transformers import SurgeryTrainerMixin
from tests.torch.loops import RHO, Judge, schedule
from tests.torch.test_guide import the_block

transformers: Any = pytest.importorskip("transformers", reason="transformers is not installed")

EXAMPLES, BATCH, MICRO_BATCHES = 20, 2, 4
"""An epoch has ten micro-batches: two steps of four, and one of two."""
MOST_NORM = 0.3


class TwoLosses(SurgeryTrainerMixin, transformers.Trainer):  # type: ignore[misc]
    judge: Judge | None = None

    def compute_losses(self, model: nn.Module, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
        if self.judge is not None:
            self.judge.see(self.accelerator.unwrap_model(model), losses(model, inputs))
        self.last = losses(model, inputs)
        return self.last


def losses(model: nn.Module, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
    outputs = model(**inputs)
    return outputs.loss, (outputs.logits - 1).square().mean()


def bert(dropout: float = 0.0) -> Any:
    """Return a small BERT, with the same weights every time."""
    torch.manual_seed(0)
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    size = {"vocab_size": 16, "intermediate_size": 8, "max_position_embeddings": 8}
    drop = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    config = transformers.BertConfig(**shape, **size, **drop, num_labels=3)
    return transformers.BertForSequenceClassification(config)


def examples() -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        {
            "input_ids": torch.randint(16, (5,), generator=generator),
            "labels": torch.randint(3, (), generator=generator),
        }
        for _ in range(EXAMPLES)
    ]


def trainer(folder: Path, method: Any = None, dropout: float = 0.0, **options: Any) -> TwoLosses:
    mixin = {key: options.pop(key) for key in ("diagnostics",) if key in options}
    given: dict[str, Any] = {
        "use_cpu": True,
        "per_device_train_batch_size": BATCH,
        "gradient_accumulation_steps": MICRO_BATCHES,
        "max_steps": 6,
        "optim": "sgd",
        "learning_rate": 0.1,
        "max_grad_norm": MOST_NORM,
        "report_to": [],
        "disable_tqdm": True,
        "save_strategy": "no",
    } | options
    arguments = transformers.TrainingArguments(str(folder), **given)
    return TwoLosses(
        bert(dropout),
        arguments,
        train_dataset=examples(),
        method=method or Bloop(schedule, RHO),
        **mixin,
    )


@pytest.fixture(autouse=True)
def quiet(monkeypatch: Any) -> Any:
    """Print neither logs nor progress bars."""
    monkeypatch.setattr(transformers.PrinterCallback, "on_log", lambda *_, **__: None)
    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.enable_progress_bar()


@pytest.mark.parametrize("bf16", [False, True])
def test_every_step_is_the_references_with_accumulation_and_clipping(
    bf16: bool, tmp_path: Path
) -> None:
    judge = Judge(most_norm=MOST_NORM)
    trained = trainer(tmp_path, bf16=bf16)
    trained.judge = judge
    with judge.watching():
        trained.train()
    assert judge.sizes == [4, 4, 2, 4, 4, 2]
    assert judge.steps == trained.surgery.count == 6
    assert judge.clipped > 0


def test_a_scaler_scales_every_loss_and_the_average_is_unscaled(tmp_path: Path) -> None:
    trained = trainer(tmp_path, max_steps=3)
    accelerator = trained.accelerator
    # what accelerate does with fp16=True on a GPU; on a CPU it refuses the flag
    accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    accelerator.native_amp, accelerator.state._mixed_precision = True, "fp16"
    judge = Judge(most_norm=MOST_NORM, scaler=lambda: accelerator.scaler)
    trained.judge = judge
    with judge.watching():
        trained.train()
    assert judge.steps == 3
    accelerator.state._mixed_precision = "no"


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(tmp_path: Path) -> None:
    saved: Any = {"save_strategy": "steps", "save_steps": 2, "dropout": 0.2}
    whole = trainer(tmp_path, **saved)
    whole.train()
    resumed = trainer(tmp_path, **saved)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))
    assert resumed.surgery.count == whole.surgery.count == 6
    pairs = list(zip(whole.model.parameters(), resumed.model.parameters(), strict=True))
    assert all(torch.equal(p, q) for p, q in pairs)
    (average,), (other,) = whole.surgery.state.memory, resumed.surgery.state.memory
    assert all(torch.equal(e, f) for e, f in zip(average, other, strict=True))
    (tmp_path / "checkpoint-4" / "surgery.pt").unlink()
    with pytest.raises(FileNotFoundError, match=r"surgery\.pt is not there"):
        trainer(tmp_path, **saved).train(resume_from_checkpoint=str(tmp_path / "checkpoint-4"))


def test_both_losses_and_the_diagnostics_are_logged(tmp_path: Path) -> None:
    seen: list[tuple[Tensor, ...]] = []

    class Kept(transformers.TrainerCallback):  # type: ignore[misc]
        def on_substep_end(self, *_: Any, **__: Any) -> None:
            seen.append(tuple(x.detach() for x in trained.last))

        on_step_end = on_substep_end

    trained = trainer(tmp_path, max_steps=4, logging_steps=2, diagnostics=True)
    trained.add_callback(Kept())
    trained.train()
    first, second, last = trained.state.log_history
    assert "aux_loss" not in last  # a summary of the run
    assert {"norm_main", "norm_aux", "norm_ema", "cos_main_aux", "cos_aux_ema"} <= set(first)
    assert first["norm_ema"] != second["norm_ema"]
    # two steps of four micro-batches; halves and quarters round nothing
    for name, losses_of in zip(("loss", "aux_loss"), zip(*seen[:8], strict=True), strict=True):
        assert first[name] == float(sum(x / 4 for x in losses_of)) / 2


def test_other_methods_train_by_their_value(tmp_path: Path) -> None:
    trained = trainer(tmp_path, PCGrad(), max_steps=2, logging_steps=1)
    trained.train()
    assert trained.surgery.count == 2
    assert trained.surgery.method == trained._method


def test_what_cannot_be_right_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"must stand before transformers\.Trainer"):
        SurgeryTrainerMixin(method=PCGrad())
    bare = trainer(tmp_path)
    with pytest.raises(NotImplementedError, match="must define compute_losses"):
        SurgeryTrainerMixin.compute_losses(bare, bare.model, {})
    for option, value in (("optim", "adalomo"), ("optim", "galore_adamw_layerwise")):
        other = trainer(tmp_path)
        setattr(other.args, option, value)
        with pytest.raises(NotImplementedError, match=r"args\.optim='.*' steps within"):
            other.train()
    for name, words in (
        ("is_deepspeed_enabled", r"args\.deepspeed must be None"),
        ("is_fsdp_enabled", r"args\.fsdp must be unset"),
    ):
        other = trainer(tmp_path)
        setattr(other, name, True)
        with pytest.raises(NotImplementedError, match=words):
            other.create_optimizer()


def test_the_block_of_the_guide_resumes_and_trains(tmp_path: Path) -> None:
    saved: dict[str, Any] = {"save_strategy": "steps", "save_steps": 2, "max_steps": 2}
    first = trainer(tmp_path, Bloop(lam=0.3, rho=0.01), **saved)
    first.train()
    first.args.max_steps = 3
    scope: dict[str, Any] = {
        "bloop_ref": bloop_ref,
        "SurgeryTrainerMixin": SurgeryTrainerMixin,
        "Trainer": transformers.Trainer,
        "model": bert(),
        "args": first.args,
        "data": examples(),
        "penalty": lambda logits: (logits - 1).square().mean(),
    }
    exec(the_block("class MyTrainer"), scope)
    assert scope["trainer"].surgery.count == scope["trainer"].state.global_step == 3
