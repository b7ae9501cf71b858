"""Any method of ``bloop_ref.surgery`` in a training loop: one backward pass for each loss."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.distributed import ProcessGroup

from bloop_ref import Diagnostics
from bloop_ref.gram_method import GramMethod
from bloop_ref.method import Method
from bloop_ref.surgery import PerLeaf
from bloop_torch import _between, _checkpoint, _memory
from bloop_torch._average import mean
from bloop_torch._beside import take_leafwise_step, take_vector_step
from bloop_torch._driver import Outcome, Step, settled, take_step
from bloop_torch._gradients import Gathered, Gradients
from bloop_torch._parameters import Parameters, named, refuse_lbfgs
from bloop_torch.step import checked


class Surgery:
    """A method of ``bloop_ref.surgery`` on the gradients of a model's parameters.

    ``backward`` leaves the method's direction in ``.grad``, where any first-order optimiser takes
    it, in the memory of the last loss's gradient. A method with a matrix reads the gradients in one
    pass and combines them in another, and its averages are the parameter-sized buffers that last;
    any other runs as the reference does, on tensors.

    Args:
        params: ``model.named_parameters()``, ``model.parameters()``, or an optimiser's
            ``param_groups``: all the parameters that the losses train. Frozen and unused ones are
            zero; tied ones count once.
        method: an object such as ``PCGrad()``; its ``nonfinite`` says what a gradient with NaN or
            infinity does to what it remembers.
        losses: how many losses there are, the main one first.
        average_over: a process group to average every gradient over before the method. Only for
            gradients that nothing else averages: DDP and FSDP do it in their backward passes.

    Raises:
        TypeError: ``method`` is no method, or ``params`` are no parameters.
        ValueError: the method does not take so many losses, or an option is out of range.

    Example:
        >>> import torch
        >>> from bloop_ref.surgery import PCGrad
        >>> from bloop_torch import Surgery
        >>> weight = torch.nn.Parameter(torch.tensor([4.0, 4.0]))
        >>> surgery = Surgery([weight], PCGrad(lam=0.5))
        >>> surgery.backward((weight**2).sum() / 2, -4 * weight[0])
        >>> weight.grad
        tensor([-1.,  5.])

    Source: that of the method.
    """

    def __init__(
        self,
        params: Parameters,
        method: Method,
        *,
        losses: int = 2,
        average_over: ProcessGroup | None = None,
    ) -> None:
        if not isinstance(method, Method):
            raise TypeError(f"method must be a bloop_ref.surgery.Method; found {method!r}")
        method.check_losses("losses", losses)
        self.parameters = named(params)
        self.method, self.losses, self.count = method, losses, 0
        device = next(iter(self.parameters.values())).device
        self.skipped = torch.zeros((), dtype=torch.int64, device=device)
        self.state = _memory.start(method, list(self.parameters.values()), losses)
        self._phases = self._names_of_phases()
        self._gradients = Gradients(self.parameters, self._phases)
        self._group = average_over
        self._fresh = any(getattr(method, "method", method).starts(losses))
        self._moved: Any = False
        refuse_lbfgs(self.parameters, self)

    def _names_of_phases(self) -> tuple[str, ...]:
        return tuple(f"gradient({k})" for k in range(self.losses))

    def gradient(self, loss: int) -> AbstractContextManager[None]:
        """Return a context in which backward passes accumulate the gradient of a loss.

        ``.grad`` of the parameters is cleared on the way out, and need not be before. The main
        loss has number 0.

        Raises ``ValueError`` where there is no such loss.
        """
        if loss not in range(self.losses):
            raise ValueError(f"loss must be one of 0 to {self.losses - 1}; found {loss!r}")
        return self._gradients.phase(self._phases[loss])

    def accumulate(
        self, *losses: Tensor, shared_graph: bool = True, scaler: GradScaler | None = None
    ) -> None:
        """Add the gradients of a micro-batch; ``combine``, or a last ``backward``, ends the step.

        Args:
            *losses: the losses, the main one first.
            shared_graph: whether the losses come out of one forward pass. ``False`` frees the graph
                of each before the next backward pass.
            scaler: what to scale the losses with.

        Raises ``ValueError`` for another number of losses.
        """
        if len(losses) != self.losses:
            raise ValueError(f"losses must be {self.losses}; found {len(losses)}")
        if _between.accumulated(self, losses, scaler):
            return
        for k, loss in enumerate(losses):
            scaled = loss if scaler is None else scaler.scale(loss)
            with self.gradient(k):
                last = k == self.losses - 1
                torch.autograd.backward(scaled, retain_graph=shared_graph and not last)

    def backward(
        self,
        *losses: Tensor,
        shared_graph: bool = True,
        scaler: GradScaler | None = None,
        diagnostics: bool = False,
        **given: float | Tensor,
    ) -> Diagnostics | None:
        """Compute all gradients and leave the direction in ``.grad``.

        Args and returns as in ``accumulate`` and ``combine``, which it calls.
        """
        self.accumulate(*losses, shared_graph=shared_graph, scaler=scaler)
        return self.combine(scaler=scaler, diagnostics=diagnostics, **given)

    @torch.no_grad()
    def combine(
        self,
        *,
        scaler: GradScaler | None = None,
        diagnostics: bool = False,
        **given: float | Tensor,
    ) -> Diagnostics | None:
        """Leave the direction of the accumulated gradients in ``.grad``, and update the state.

        Args:
            scaler: the ``GradScaler`` that scaled the losses. The direction is left scaled, for
                ``scaler.unscale_`` and ``scaler.step``; the method sees unscaled gradients, and
                what it remembers stays as it is where any is not finite, as the scaler skips the
                step.
            diagnostics: whether to return norms and cosines of the vectors.
            **given: the scalars that the method takes beside the gradients.

        Returns:
            ``bloop_ref.Diagnostics`` if asked for: floats on the CPU, else scalar tensors that have
            not been waited for.

        Raises:
            RuntimeError: a gradient is missing.
            FloatingPointError: with ``nonfinite="raise"``, a gradient is not finite.
        """
        gathered = self._gradients.take(_between.MIXED_PHASE)
        if self._group is not None:
            gathered = tuple(mean(g, self.parameters, self._group) for g in gathered)
        outcome = self._step(gathered, scaler, given, diagnostics)
        for parameter, direction in zip(self.parameters.values(), outcome.direction, strict=True):
            parameter.grad = direction
        self.count += 1
        self._moved = outcome.moved
        self.skipped += ~outcome.moved if isinstance(outcome.moved, Tensor) else not outcome.moved
        return outcome.diagnostics

    def _step(
        self,
        gathered: Sequence[Gathered],
        scaler: GradScaler | None,
        given: Mapping[str, Any],
        diagnose: bool,
    ) -> Outcome:
        """Take a step; go on with the state."""
        per_leaf = isinstance(self.method, PerLeaf)
        method: Any = getattr(self.method, "method", None) if per_leaf else self.method
        method = method.at(self.count, checked)
        names, losses = _between.names(self, gathered), len(gathered)
        checks = scaler is not None or method.nonfinite != "propagate"
        step = Step(
            method=method,
            losses=losses,
            scalars=self.state.scalars if self._has_matrix else (),
            scale=_loss_scale(scaler, self.skipped.device),
            check=() if not checks else method.watched(losses) if scaler is None else range(losses),
            names=names,
            fresh=self._no_average_yet(),
            given=given,
            diagnose=diagnose,
        )
        memory = self.state.memory if self._has_matrix else ()
        rows = _memory.rows(self.parameters, names, gathered, method, memory)
        if self._has_matrix:
            outcome = take_step(rows, step, method)
            self.state = settled(self.state, outcome)
        elif per_leaf:
            outcome, self.state = take_leafwise_step(rows, step, self.state, method)
        else:
            outcome, self.state = take_vector_step(rows, step, self.state)
        return outcome

    @property
    def _has_matrix(self) -> bool:
        return isinstance(self.method, GramMethod)

    def _no_average_yet(self) -> bool:
        """Whether gradients are to be the first averages; waits for a device until one was."""
        if self._fresh and self.count:
            self._fresh = not bool(self._moved)
        return self._fresh

    def state_dict(self) -> dict[str, Any]:
        """Return the state between two steps, by name, with counters and hyper-parameters.

        Raises ``RuntimeError`` while gradients are being accumulated.
        """
        if self._gradients.pending:
            raise RuntimeError("state_dict must be taken between steps; combine is due")
        return _checkpoint.saved(self)

    @torch.no_grad()
    def load_state_dict(
        self, state: Mapping[str, Any], *, on_change: Literal["raise", "keep"] = "raise"
    ) -> None:
        """Go on from a state, bit for bit. Hyper-parameters stay those of this object.

        Args:
            state: what ``state_dict`` returned.
            on_change: what to do if the state was saved with another method or other options of
                it: ``"raise"``, or ``"keep"`` those of this object, whose state must be alike.

        Raises:
            ValueError: the state is of another format, model or, unless kept, method.
        """
        _checkpoint.load(self, state, on_change)
        self._gradients.drop()


def _loss_scale(scaler: GradScaler | None, device: torch.device) -> float | Tensor:
    """Return the scale of the losses; it is read only where that costs no waiting."""
    if scaler is None:
        return 1
    scale = scaler.scale(torch.ones((), device=device))
    return scale.item() if device.type == "cpu" else scale.double()
