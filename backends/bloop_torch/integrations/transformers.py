"""Hugging Face's Trainer on several losses: a mixin, and nothing of transformers is imported."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bloop_ref.method import Method
from bloop_torch.integrations._steps import Loss, micro_step, numbered
from bloop_torch.surgery import Surgery

FILE = "surgery.pt"
HOOKS = ("training_step", "log", "_save_optimizer_and_scheduler", "_load_optimizer_and_scheduler")


class SurgeryTrainerMixin:
    """Let ``transformers.Trainer`` train on a main loss and auxiliary ones by a method.

    Each micro-batch adds its part of every loss's gradient, and the last one of a step leaves the
    direction in ``.grad``, where the Trainer clips it by ``max_grad_norm`` and its optimiser takes
    it. Losses are means over their micro-batch: they are divided by the number of micro-batches,
    unless ``loss_is_scaled_for_ga`` is true. Logs have ``loss``, the main one, and ``aux_loss``. A
    checkpoint folder has ``surgery.pt`` beside ``optimizer.pt``, and resuming needs it. In several
    processes (DDP) every gradient is averaged before the method.

    Args:
        *args, **kwargs: those of the Trainer.
        method: such as ``bloop_ref.Bloop(lam=0.3, rho=0.01)`` or ``bloop_ref.surgery.PCGrad()``.
        losses: how many losses ``compute_losses`` returns.
        diagnostics: whether to log norms and cosines of the gradients too.

    Raises:
        TypeError: it stands before no Trainer among the bases of the class.
        NotImplementedError: the Trainer is to take gradients in a way that this does not work with.

    Example:
        >>> from bloop_torch.integrations.transformers import SurgeryTrainerMixin
        >>> class MyTrainer(SurgeryTrainerMixin):  # and transformers.Trainer, after it
        ...     def compute_losses(self, model, inputs):
        ...         outputs = model(**inputs)
        ...         return outputs.loss, outputs.logits.square().mean()

    Source: that of the method.
    """

    def __init__(
        self,
        *args: Any,
        method: Method,
        losses: int = 2,
        diagnostics: bool = False,
        **kwargs: Any,
    ) -> None:
        parent = super()
        if lacking := [name for name in HOOKS if not hasattr(parent, name)]:
            raise TypeError(
                "SurgeryTrainerMixin must stand before transformers.Trainer among the bases, as in "
                f"class MyTrainer(SurgeryTrainerMixin, Trainer); what follows it lacks {lacking}"
            )
        self._method, self._losses, self._diagnose = method, losses, diagnostics
        self._surgery: Surgery | None = None
        self._sums: Tensor | None = None
        self._steps, self._scalars = 0, dict[str, Any]()
        super().__init__(*args, **kwargs)

    def compute_losses(self, model: nn.Module, inputs: dict[str, Any]) -> Sequence[Loss]:
        """Return the losses of a micro-batch, the main one first; to be overridden."""
        raise NotImplementedError("a class with SurgeryTrainerMixin must define compute_losses")

    @property
    def surgery(self) -> Surgery:
        """The ``Surgery`` on the model's parameters; made when the model is ready to train."""
        if self._surgery is None:
            trainer: Any = self
            several = trainer.accelerator.num_processes > 1
            self._surgery = Surgery(
                trainer.model.named_parameters(),
                self._method,
                losses=self._losses,
                average_over=dist.group.WORLD if several else None,
            )
        return self._surgery

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """Make the Trainer's optimiser, and forget the ``Surgery`` of another model."""
        trainer: Any = self
        _refuse(trainer)
        if trainer.optimizer is None:
            self._surgery = None
        return super().create_optimizer(*args, **kwargs)  # type: ignore[misc]

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> Tensor:
        """Take a micro-batch; return its part of the main loss."""
        del num_items_in_batch  # losses are means over a micro-batch, of whatever they count
        trainer: Any = self
        model.train()
        if callable(train := getattr(trainer.optimizer, "train", None)):
            train()  # schedule-free optimisers ask for it
        inputs = trainer._prepare_inputs(inputs)
        scaled = getattr(trainer, "loss_is_scaled_for_ga", None)
        most = trainer.args.gradient_accumulation_steps
        now = getattr(trainer, "current_gradient_accumulation_steps", most)  # not in every version
        count = 1 if scaled else now
        last = trainer.accelerator.sync_gradients
        with _unsynchronised(model):
            with trainer.compute_loss_context_manager():
                losses = self.compute_losses(model, inputs)
            found = micro_step(
                self.surgery,
                losses,
                count,
                last=last,
                scaler=trainer.accelerator.scaler,
                diagnostics=self._diagnose,
            )
        self._record(losses, count, last)
        self._scalars = found or self._scalars
        part: Tensor = torch.as_tensor(losses[0]).detach() / count
        return part

    def _record(self, losses: Sequence[Loss], count: int, last: bool) -> None:
        """Add the auxiliary losses of a micro-batch to what is logged, waiting for no device."""
        device = self.surgery.skipped.device
        parts = [torch.as_tensor(0.0 if x is None else x, device=device) for x in losses[1:]]
        part = torch.stack([x.detach().float() for x in parts]) / count
        self._sums = part if self._sums is None else self._sums + part
        self._steps += last

    def log(self, logs: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        """Log as the Trainer does: beside the loss, the auxiliary losses and the diagnostics."""
        if "loss" in logs and self._sums is not None:
            trainer: Any = self
            means = trainer.accelerator.reduce(self._sums / max(self._steps, 1), reduction="mean")
            names = numbered("aux_loss", self._losses - 1)
            logs |= dict(zip(names, means.tolist(), strict=True))
            logs |= {name: float(x) for name, x in self._scalars.items()}
            self._sums, self._steps = None, 0
        super().log(logs, *args, **kwargs)  # type: ignore[misc]

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)  # type: ignore[misc]
        if self.args.should_save:  # type: ignore[attr-defined]
            torch.save(self.surgery.state_dict(), Path(output_dir) / FILE)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)  # type: ignore[misc]
        if checkpoint is None:
            return
        path = Path(checkpoint) / FILE
        if not path.exists():
            raise FileNotFoundError(
                f"resume_from_checkpoint must be a folder that this class saved; {path} is not "
                "there. To begin with an empty average, load the model alone and do not resume"
            )
        device = self.surgery.skipped.device
        self.surgery.load_state_dict(torch.load(path, map_location=device, weights_only=True))


def _refuse(trainer: Any) -> None:
    """Raise where the Trainer takes gradients that are not each loss's own, or not whole."""
    optim = str(getattr(trainer.args.optim, "value", trainer.args.optim))
    reasons = {
        "args.deepspeed must be None; DeepSpeed accumulates and reduces by itself": (
            trainer.is_deepspeed_enabled
        ),
        "args.fsdp must be unset; the Trainer's FSDP adds micro-batches up where losses cannot be "
        "told apart. Use DDP, or a loop of your own with fully_shard": trainer.is_fsdp_enabled,
        "args.parallelism_config must be None; no loss is split over a sequence or a tensor": (
            getattr(trainer.args, "parallelism_config", None) is not None
        ),
        "args.n_gpu must be 1; start one process for each GPU, with torchrun": (
            trainer.args.n_gpu > 1
        ),
        f"args.optim={optim!r} steps within the backward pass, before there is a direction": (
            "lomo" in optim or optim.endswith("layerwise")
        ),
    }
    for reason, true in reasons.items():
        if true:
            raise NotImplementedError(f"SurgeryTrainerMixin: {reason}")


def _unsynchronised(model: Any) -> AbstractContextManager[Any]:
    """Keep DDP from averaging: it would average the first of several backward passes alone."""
    context: Any = getattr(model, "no_sync", nullcontext)
    return context()  # type: ignore[no-any-return]
