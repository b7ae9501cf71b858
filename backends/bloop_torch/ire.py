"""IRE around any torch optimiser: longer steps along flat coordinates, the optimiser untouched."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.optim import Optimizer

from bloop_ref import ire
from bloop_ref.aliases import Schedule
from bloop_ref.scalars import check_choice
from bloop_torch._gradients import dense
from bloop_torch._ire_checkpoint import VERSION, check
from bloop_torch._shards import is_sharded


class IRE:
    """IRE on the parameters of an optimiser, whose own steps it amplifies where they are flat.

    The optimiser is used as before, by schedulers and gradient scalers too: hooks around its
    ``step`` keep the parameters from before and move the flat coordinates 1 + kappa times as far.
    A step that a scaler skips is no step here either. While ``step`` runs this takes one more copy
    of the parameters; a mask of one byte an entry lasts.

    Args:
        optimizer: any ``torch.optim.Optimizer``. All parameters of its groups are ranked together;
            frozen ones do not take part.
        kappa: the enhancement, >= 0, or a function of the number of steps taken.
        fraction: the flat part of all coordinates, in [0, 1].
        interval: the number of steps from one refresh of the mask to the next.
        warmup: the number of steps that are the optimiser's alone.
        rho: the weight of a new score in the average that makes the mask; 1 keeps no average.
        convention: as in ``bloop_ref.ire.mask``, and so is ``ties``.
        ties: what happens to scores equal to the threshold.
        nonfinite: as in ``bloop_ref.ire.IRE``.

    Raises:
        TypeError, ValueError: an argument is none of the above, or parameters are sharded over
            processes: their entries cannot be ranked here.

    Example:
        >>> import torch
        >>> from bloop_torch.ire import IRE
        >>> weight = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        >>> optimizer = torch.optim.SGD([weight], lr=0.5)
        >>> ire = IRE(optimizer, kappa=3.0, fraction=0.5)
        >>> hessian = torch.tensor([1.0, 0.0625])
        >>> if ire.due:
        ...     ire.refresh([hessian])
        >>> (hessian * weight**2).sum().div(2).backward()
        >>> optimizer.step()
        >>> weight.data
        tensor([0.5000, 0.8750])

    Source: Wang et al., NeurIPS 2024, algorithm 1; see ``bloop_ref.ire``.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        kappa: Schedule,
        fraction: float,
        interval: int = 10,
        warmup: int = 0,
        rho: Schedule = 1,
        convention: Literal["paper", "topk_official"] = "paper",
        ties: Literal["include", "stable"] = "include",
        nonfinite: Literal["skip", "raise", "propagate"] = "skip",
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"optimizer must be a torch.optim.Optimizer; found {type(optimizer).__name__}"
            )
        self.optimizer = optimizer
        self.options = ire.IRE(
            kappa,
            fraction,
            interval=interval,
            warmup=warmup,
            rho=rho,
            convention=convention,
            ties=ties,
            nonfinite=nonfinite,
        )
        self.mask: dict[Tensor, Tensor] = {}
        self.score: dict[Tensor, Tensor] = {}
        self.count = 0
        self.skipped = torch.zeros((), dtype=torch.int32, device=self.parameters[0].device)
        self._before: dict[Tensor, Tensor] = {}
        self._hooks = (
            optimizer.register_step_pre_hook(self._keep),
            optimizer.register_step_post_hook(self._amplify),
        )

    @property
    def parameters(self) -> list[Tensor]:
        """The optimiser's parameters, group after group."""
        found = [p for group in self.optimizer.param_groups for p in group["params"]]
        if any(map(is_sharded, found)):
            raise TypeError(
                "optimizer must not hold parameters that are sharded over processes (DTensor): "
                "IRE ranks the curvature of all entries together"
            )
        return found

    @property
    def due(self) -> bool:
        """Whether the coming step is to begin with a refresh of the mask."""
        return bool(self.options.should_refresh(self.count))

    @contextmanager
    def fisher_gradient(
        self, *, batch_size: float = 1, scaler: GradScaler | None = None
    ) -> Iterator[None]:
        """Refresh the mask from the gradient that backward passes within accumulate.

        The loss must be the mean over a batch with *labels drawn from the model's own prediction*.
        ``.grad`` is put aside and comes back. Nothing changes where a backward pass raises. Under
        DDP all processes must get one mask: give this loss a forward pass of its own, because DDP
        averages the gradients of the first backward pass of each forward pass only, and enter
        before the backward pass of the step, whose gradients may lie in the same memory.

        Args:
            batch_size: that of the loss; it matters only if it varies and an average is kept.
            scaler: what the loss was scaled with.
        """
        parameters = self.parameters
        kept = [p.grad for p in parameters]
        for parameter in parameters:
            parameter.grad = None
        try:
            yield
            gradient = [dense(p.grad) for p in parameters]
        finally:
            for parameter, grad in zip(parameters, kept, strict=True):
                parameter.grad = grad
        scale = 1.0 if scaler is None else scaler.get_scale()
        self.refresh(ire.curvature(gradient, batch_size=batch_size / scale**2))

    @torch.no_grad()
    def refresh(self, score: Sequence[Tensor | None]) -> None:
        """Rank the coordinates by a score, and make the mask of the following steps.

        Args:
            score: one tensor for each of ``parameters``, of its shape, such as
                ``bloop_ref.ire.curvature`` of a gradient; ``None`` is zero.

        Raises:
            ValueError: the number of tensors or a shape is wrong.
            FloatingPointError: with ``nonfinite="raise"``, the score is not finite.
        """
        parameters = self.parameters
        if len(score) != len(parameters):
            raise ValueError(
                "score must have one tensor or None for each parameter: "
                f"required {len(parameters)}, found {len(score)}"
            )
        masks = [self._mask_of(p) for p in parameters]
        scores = [self.score.get(p) for p in parameters]
        state = self.options.refresh(
            list(score), ire.IREState(masks, scores, self.count, self.skipped)
        )
        self.mask, self.score = _by_parameter(parameters, state.mask, state.score)
        self.skipped = state.skipped

    def state_dict(self) -> dict[str, Any]:
        """Return the state: masks and scores in the order of ``parameters``, and counters."""
        return {
            "version": VERSION,
            "hyperparameters": self._plain(),
            "count": self.count,
            "skipped": self.skipped,
            "mask": [self.mask.get(p) for p in self.parameters],
            "score": [self.score.get(p) for p in self.parameters],
        }

    def load_state_dict(
        self, state: Mapping[str, Any], *, on_change: Literal["raise", "keep"] = "raise"
    ) -> None:
        """Go on from a state, bit for bit. Hyper-parameters stay those of this object.

        Args:
            state: what ``state_dict`` returned, of an optimiser with the same parameters.
            on_change: if the state was saved with other hyper-parameters, ``"raise"``, or
                ``"keep"`` those of this object.

        Raises:
            ValueError: the state is of another format, model or, unless kept, hyper-parameters.
        """
        check_choice("on_change", on_change, ("raise", "keep"))
        parameters = self.parameters
        check(state, parameters, None if on_change == "keep" else self._plain())
        there = (
            [None if x is None else x.to(p.device) for p, x in zip(parameters, leaves, strict=True)]
            for leaves in (state["mask"], state["score"])
        )
        self.mask, self.score = _by_parameter(parameters, *there)
        self.count = int(state["count"])
        self.skipped = torch.as_tensor(state["skipped"]).to(self.skipped)

    def remove(self) -> None:
        """Leave the optimiser as it was."""
        for hook in self._hooks:
            hook.remove()

    def _mask_of(self, parameter: Tensor) -> Tensor | None:
        """Return the mask of a parameter, false at first; ``None`` for one that is frozen."""
        if not parameter.requires_grad:
            return None
        return self.mask.get(parameter, torch.zeros_like(parameter, dtype=torch.bool))

    @torch.no_grad()
    def _keep(self, *_: Any) -> None:
        """Keep what the step is about to change."""
        acts = self.count >= self.options.warmup
        self._before = {p: p.detach().clone() for p in self.mask} if acts else {}

    @torch.no_grad()
    def _amplify(self, *_: Any) -> None:
        """Amplify the step that was taken, parameter by parameter."""
        kappa = self.options.kappa
        now = kappa(self.count) if callable(kappa) else kappa
        for parameter, before in self._before.items():
            parameter.copy_(ire.amplify(before, parameter, self.mask[parameter], kappa=now))
        self._before = {}
        self.count += 1

    def _plain(self) -> dict[str, Any]:
        """Return the hyper-parameters that a checkpoint can hold; ``None`` for a function."""
        values = {name: getattr(self.options, name) for name in ire.IRE.__dataclass_fields__}
        return {n: None if callable(v) else v for n, v in values.items() if n != "_"}


def _by_parameter(parameters: Sequence[Tensor], *columns: Any) -> Any:
    """Return dictionaries from parameters to what belongs to them, where there is something."""
    return tuple(
        {p: x for p, x in zip(parameters, column, strict=True) if x is not None}
        for column in columns
    )
