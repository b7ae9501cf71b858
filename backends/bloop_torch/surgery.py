"""Any method of ``bloop_ref.surgery`` in a training loop: one backward pass for each loss."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.distributed import ProcessGroup

from bloop_ref import Diagnostics
from bloop_ref.method import Method
from bloop_torch import _between, _checkpoint, _memory
from bloop_torch._average import Averaging
from bloop_torch._gradients import Gradients
from bloop_torch._guards import Guard
from bloop_torch._hyperparameters import Settable, check_is_method, inner
from bloop_torch._losses import active, check_given, check_scalers, gather
from bloop_torch._methods import leave, take
from bloop_torch._parameters import Parameters, named
from bloop_torch._replicas import Replicas, When


class Surgery(Settable):
    """A method of ``bloop_ref.surgery`` on the gradients of a model's parameters.

    ``backward`` leaves the method's direction in ``.grad``, where any first-order optimiser takes
    it, in the memory of the last loss's gradient. A method with a matrix reads the gradients in one
    pass and combines them in another, and its averages are the parameter-sized buffers that last;
    any other runs as the reference does, on tensors.

    Under ``nonfinite="skip"`` a gradient with NaN or infinity makes no update: ``.grad`` is then
    ``None``, ``withheld`` true. Every direction is to be stepped on, or cleared, before the next.

    Args:
        params: ``model.named_parameters()``, ``model.parameters()``, or an optimiser's
            ``param_groups``: all the parameters that the losses train. Frozen and unused ones are
            zero, and not moved; tied ones count once.
        method: an object such as ``PCGrad()``; its ``nonfinite`` says what a gradient with NaN or
            infinity does. It may be replaced by one that remembers the same.
        losses: how many losses there are, the main one first.
        average_over: a process group to average every gradient over before the method. Only for
            gradients that nothing else averages: DDP and FSDP do it in their backward passes.
        compare_ranks: when processes whose parameters are the same make sure that their gradients
            are, too: ``"first"`` at the first step, a number n at every n-th as well, ``"never"``.

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
        compare_ranks: When = "first",
    ) -> None:
        check_is_method(method)
        method.check_losses("losses", losses)
        self.parameters = named(params)
        self.method, self.losses, self.count = method, losses, 0
        device = next(iter(self.parameters.values())).device
        self.skipped = torch.zeros((), dtype=torch.int64, device=device)
        self.withheld: Tensor | bool = False
        self.state = _memory.start(method, list(self.parameters.values()), losses)
        self._phases = self._names_of_phases()
        self._gradients = Gradients(self.parameters, self._phases)
        self._average = Averaging(self.parameters, average_over, losses)
        self._replicas = Replicas(compare_ranks, average_over)
        self._fresh = any(inner(method).starts(losses))
        self._moved: Any = False
        self._scalers: set[GradScaler | None] = set()
        self._guard = Guard(self.parameters.values(), type(self).__name__)
        self._made = True

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
        return self._gradients.phase(self._phases[loss], self._begin)

    def _begin(self) -> None:
        """Raise unless a step may begin."""
        self._guard.require_ready()
        self._scalers = set()

    def accumulate(
        self,
        *losses: Tensor | float | None,
        shared_graph: bool = True,
        scaler: GradScaler | None = None,
    ) -> None:
        """Add the gradients of a micro-batch; ``combine``, or a last ``backward``, ends the step.

        Args:
            *losses: the losses, the main one first; ``None`` or 0 for an auxiliary loss that this
                step is without.
            shared_graph: whether the losses come out of one forward pass. ``False`` frees the graph
                of each before the next backward pass.
            scaler: what to scale the losses with.

        Raises:
            TypeError, ValueError: a loss is no scalar that depends on parameters, is scaled
                already, or there are not ``losses`` of them.
            RuntimeError: the last direction has not been stepped on.
        """
        gather(self, losses, shared_graph=shared_graph, scaler=scaler)

    def backward(
        self,
        *losses: Tensor | float | None,
        shared_graph: bool = True,
        scaler: GradScaler | None = None,
        diagnostics: bool = False,
        **given: float | Tensor,
    ) -> Diagnostics | None:
        """Compute all gradients and leave the direction in ``.grad``.

        Args and returns as in ``accumulate`` and ``combine``, which it calls.
        """
        gather(self, losses, shared_graph=shared_graph, scaler=scaler, complete=True)
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
                ``scaler.unscale_`` and ``scaler.step``; the method sees unscaled gradients. Where
                any is not finite, what it remembers stays as it is, and the direction is left all
                the same, for the scaler to skip the step.
            diagnostics: whether to return norms and cosines of the vectors.
            **given: the scalars that the method takes beside the gradients.

        Returns:
            ``bloop_ref.Diagnostics`` if asked for: floats on the CPU, else scalar tensors that have
            not been waited for.

        Raises:
            RuntimeError: a gradient is missing, a loss reaches no parameter, or an exception left
                an earlier ``combine``; processes that are alike have other gradients.
            TypeError: the method takes no such scalar.
            FloatingPointError: with ``nonfinite="raise"``, a gradient is not finite.
        """
        self._guard.require_finished()
        check_given(inner(self.method), given)
        scaler = active(scaler)
        check_scalers(self._scalers, scaler)
        gathered = self._average.finish(self._gradients.take(_between.MIXED_PHASE))
        names = _between.names(self, gathered)
        self._gradients.require_reached(names, gathered)
        self._replicas.compare(self.count, self.parameters, self.method, self.state, gathered)
        outcome, self.state = take(
            self,
            gathered,
            names=names,
            scaler=scaler,
            given=given,
            diagnose=diagnostics,
        )
        leave(self, outcome, scaler)
        self.count += 1
        self._moved = outcome.moved
        self.skipped += ~outcome.moved if isinstance(outcome.moved, Tensor) else not outcome.moved
        self._guard.end()
        return outcome.diagnostics

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of the state between two steps, by name, with counters and options.

        Raises ``RuntimeError`` while gradients are being accumulated, and after an exception has
        left ``combine`` half done.
        """
        self._guard.require_finished()
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
            TypeError: the state is none.
            ValueError: it is of another format, model or, unless kept, method, or not finite.
        """
        self._gradients.require_closed("load_state_dict")
        _checkpoint.load(self, state, on_change)
        self._gradients.drop()
        self._guard.forget()
        self._guard.end()
        self.withheld = False
