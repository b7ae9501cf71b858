"""Lightning on several losses: a mixin for a LightningModule, and nothing of it is imported."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from bloop_ref.method import Method
from bloop_torch._shards import is_sharded
from bloop_torch.integrations._steps import Loss, micro_step
from bloop_torch.surgery import Surgery

KEY = "surgery"


class SurgeryModuleMixin:
    """Let a ``LightningModule`` train on a main loss and auxiliary ones by a method.

    With automatic optimisation ``training_step`` returns ``self.surgery_loss(main, aux)``. Each
    micro-batch adds its part of every gradient, and the last one of ``accumulate_grad_batches``
    leaves the direction in ``.grad``, before Lightning clips it and the optimiser takes it. With
    manual optimisation ``training_step`` uses ``self.surgery``, which is all that it is then for.
    Checkpoints hold its state. Under DDP, and automatic optimisation, every gradient is averaged
    before the method, and buffers are those of each process.

    Attributes:
        method: such as ``bloop_ref.Bloop(lam=0.3, rho=0.01)``; set it in ``__init__`` or the class.
        losses: how many losses there are.
        log_surgery: whether to log norms and cosines of the gradients with each step.

    Raises:
        RuntimeError: there is a backward pass of other losses than those of ``surgery_loss``.

    Example:
        >>> from bloop_ref import Bloop
        >>> from bloop_torch.integrations.lightning import SurgeryModuleMixin
        >>> class Digits(SurgeryModuleMixin):  # and lightning.LightningModule, after it
        ...     method = Bloop(lam=0.3, rho=0.01)
        ...
        ...     def training_step(self, batch, _):
        ...         outputs = self.net(batch[0])
        ...         return self.surgery_loss(outputs.mean(), outputs.square().mean())

    Source: that of the method.
    """

    method: Method
    losses: int = 2
    log_surgery: bool = False
    _surgery: Surgery | None = None
    _losses: tuple[Loss, ...] | None = None
    _loaded: Any = None
    _scalars: Mapping[str, Any] = MappingProxyType({})

    @property
    def surgery(self) -> Surgery:
        """The ``Surgery`` on the module's parameters; made when they are where they will train."""
        if self._surgery is None:
            module: Any = self
            self._surgery = Surgery(
                module.named_parameters(),
                self.method,
                losses=self.losses,
                average_over=dist.group.WORLD if _synchronised(module) is not None else None,
            )
        if self._loaded is not None:
            self._surgery.load_state_dict(self._loaded)
            self._loaded = None
        return self._surgery

    def surgery_loss(self, *losses: Loss) -> Any:
        """Keep the losses for the backward passes; return the main one, for Lightning."""
        self._losses = losses
        return losses[0]

    def on_train_start(self) -> None:
        """Keep DDP from averaging: it would average the first of several backward passes alone."""
        if self._surgery is not None:  # of an earlier fit, perhaps in fewer or more processes
            self._loaded = self._loaded or self._surgery.state_dict()
            self._surgery = None
        if (replicas := _synchronised(self)) is not None:
            replicas.require_backward_grad_sync = False
        super().on_train_start()  # type: ignore[misc]

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take all the backward passes of a micro-batch; in manual optimisation, that of a loss."""
        module: Any = self
        if not module.automatic_optimization:
            super().backward(loss, *args, **kwargs)  # type: ignore[misc]
            return
        losses, self._losses = self._losses, None
        if losses is None:
            raise RuntimeError(
                "training_step must return self.surgery_loss(main, aux), which hands the losses "
                "over; found a loss of which it has not heard"
            )
        trainer = module.trainer
        count = trainer.accumulate_grad_batches
        self._scalars = micro_step(
            self.surgery,
            losses,
            count,
            last=(trainer.fit_loop.batch_idx + 1) % count == 0 or trainer.is_last_batch,
            scaler=getattr(trainer.precision_plugin, "scaler", None),
            diagnostics=self.log_surgery,
        )

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        """Log what the last step found of its gradients."""
        if self._scalars:
            module: Any = self
            module.log_dict(self._scalars)
        super().on_before_optimizer_step(optimizer)  # type: ignore[misc]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the state of the method.

        Raises ``NotImplementedError`` for a sharded module, of which one process has a part alone.
        """
        if any(map(is_sharded, self.surgery.parameters.values())):
            raise NotImplementedError(
                "SurgeryModuleMixin: parameters must be whole in every process to be saved; these "
                "are sharded. Override on_save_checkpoint and on_load_checkpoint, and save "
                "self.surgery.state_dict() with torch.distributed.checkpoint"
            )
        checkpoint[KEY] = self.surgery.state_dict()
        super().on_save_checkpoint(checkpoint)  # type: ignore[misc]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from a state when the module is ready to train; evaluation does without."""
        if _is_fitting(self):
            if KEY not in checkpoint:
                raise ValueError(
                    f"ckpt_path must be a checkpoint with {KEY!r}, of a module with this mixin. To "
                    "begin with an empty average, call load_from_checkpoint, and fit without it"
                )
            self._loaded = checkpoint[KEY]
        super().on_load_checkpoint(checkpoint)  # type: ignore[misc]


def _synchronised(module: Any) -> Any:
    """Return DDP's wrapper of a module, if it has one that averages without being asked to."""
    wrapped = module.trainer.model
    asked = not module.automatic_optimization  # then by every manual_backward
    return wrapped if isinstance(wrapped, DistributedDataParallel) and not asked else None


def _is_fitting(module: Any) -> bool:
    """Whether a checkpoint is loaded to go on training, and not for its parameters alone."""
    try:
        return bool(module.trainer.state.fn == "fit")
    except RuntimeError:  # load_from_checkpoint attaches no trainer
        return False
