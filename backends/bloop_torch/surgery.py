"""Any method of ``bloop_ref.surgery`` in a training loop: one backward pass for each loss."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal

import optree
import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.distributed import ProcessGroup

from bloop_ref._scalars import check_choice
from bloop_ref.surgery import Method
from bloop_torch import _checkpoint
from bloop_torch._average import averaged
from bloop_torch._gradients import Gradients
from bloop_torch._loss_scale import loss_scale
from bloop_torch._methods import Step, take_step
from bloop_torch._opaque import FEW
from bloop_torch._parameters import Parameters, named, refuse_lbfgs
from bloop_torch._shards import agreed


class Surgery:
    """A method of ``bloop_ref.surgery`` on the gradients of a model's parameters.

    ``backward`` leaves the method's direction in ``.grad``, in the memory of the last loss's
    gradient. A Gram method reads the gradients in one pass over blocks and combines them in
    another; any other runs as the reference does, on tensors.

    Args:
        params: ``model.named_parameters()``, ``model.parameters()``, or an optimiser's
            ``param_groups``; as in ``Bloop``.
        method: an object such as ``PCGrad()``.
        losses: how many losses there are, the main one first.
        nonfinite: what a gradient with NaN or infinity does to the method's state, if it has one:
            ``"skip"`` keeps the state and counts the step in ``skipped``, ``"propagate"`` lets it
            in, ``"raise"`` raises. It always shows in the direction.
        average_over: a process group to average every gradient over before the method; only for
            gradients that nothing else averages, as in ``Bloop``.
        compiled: on the CPU, run the two passes of a Gram method or hierarchy through
            ``torch.compile``, with 16 parameters at most: faster with many losses.

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
        nonfinite: Literal["skip", "raise", "propagate"] = "skip",
        average_over: ProcessGroup | None = None,
        compiled: bool = False,
    ) -> None:
        if not isinstance(method, Method):
            raise TypeError(f"method must be a bloop_ref.surgery.Method; found {method!r}")
        check_choice("nonfinite", nonfinite, ("skip", "raise", "propagate"))
        self.parameters = named(params)
        self.method, self.nonfinite = method, nonfinite
        self.losses = losses
        self.state = method.init([p.detach() for p in self.parameters.values()], losses)
        self.count = 0
        first = next(iter(self.parameters.values()))
        self.skipped = torch.zeros((), dtype=torch.int64, device=first.device)
        self._phases = tuple(f"gradient({k})" for k in range(losses))
        self._gradients = Gradients(self.parameters, self._phases)
        self._group = average_over
        self._compiled = compiled and len(self.parameters) <= FEW
        refuse_lbfgs(self.parameters, self)

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
        **given: float | Tensor,
    ) -> None:
        """Compute all gradients and leave the direction in ``.grad``.

        Args as in ``accumulate`` and ``combine``, which it calls.
        """
        self.accumulate(*losses, shared_graph=shared_graph, scaler=scaler)
        self.combine(scaler=scaler, **given)

    @torch.no_grad()
    def combine(self, *, scaler: GradScaler | None = None, **given: float | Tensor) -> None:
        """Leave the direction of the accumulated gradients in ``.grad``, and go on with the state.

        Args:
            scaler: the ``GradScaler`` that scaled the losses. The direction is left scaled, for
                ``scaler.unscale_`` and ``scaler.step``; the method sees unscaled gradients, and
                its state stays as it is where one is not finite, as the scaler skips the step.
            **given: the scalars that ``coefficients`` of the method takes beside the state.

        Raises:
            RuntimeError: a gradient is missing.
            FloatingPointError: with ``nonfinite="raise"``, a gradient is not finite.
        """
        gathered = self._gradients.take()
        if self._group is not None:
            gathered = tuple(averaged(g, self.parameters, self._group) for g in gathered)
        labels = [f"gradient({k})" for k in range(self.losses)]
        rows = [
            agreed(tuple(g[name] for g in gathered), [f"{label}[{name!r}]" for label in labels])
            for name in self.parameters
        ]
        unit = loss_scale(scaler, self.skipped.device, readable=True)
        check = scaler is not None or self.nonfinite != "propagate"
        step = Step(self.method, self.state, unit, check, given, self._compiled)
        direction, state, finite = take_step(rows, step)
        if self.nonfinite == "raise" and not finite:
            raise FloatingPointError("gradients must be finite; found NaN or infinity in them")
        if isinstance(finite, Tensor):
            state = optree.tree_map(
                lambda new, old: (
                    torch.where(finite.to(new.device), new, old) if isinstance(new, Tensor) else new
                ),
                state,
                self.state,
            )
            self.skipped += ~finite
        else:
            state = state if finite else self.state
            self.skipped += not finite
        self.state = state
        for parameter, leaf in zip(self.parameters.values(), direction, strict=True):
            parameter.grad = leaf
        self.count += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the state between two steps: that of the method leaf by leaf, and counters.

        Raises ``RuntimeError`` while gradients are being accumulated.
        """
        if self._gradients.pending:
            raise RuntimeError("state_dict must be taken between steps; combine is due")
        return {
            "version": _checkpoint.VERSION,
            "method": repr(self.method),
            "names": list(self.parameters),
            "count": self.count,
            "skipped": self.skipped,
            "state": optree.tree_leaves(self.state),
        }

    @torch.no_grad()
    def load_state_dict(
        self, state: Mapping[str, Any], *, on_change: Literal["raise", "keep"] = "raise"
    ) -> None:
        """Go on from a state, bit for bit. The method stays that of this object.

        Args:
            state: what ``state_dict`` returned.
            on_change: what to do if the state was saved with another method or other options of
                it: ``"raise"``, or ``"keep"`` that of this object, whose state must be alike.

        Raises:
            ValueError: the state is of another format, model or, unless kept, method.
        """
        own, spec = optree.tree_flatten(self.state)
        _checkpoint.check_surgery(state, self.parameters, self.method, own, on_change)
        leaves = [
            torch.empty_like(mine).copy_(torch.as_tensor(stored))
            if isinstance(mine, Tensor)
            else stored
            for mine, stored in zip(own, state["state"], strict=True)
        ]
        self._gradients.drop()
        self.state = optree.tree_unflatten(spec, leaves)
        self.count = int(state["count"])
        self.skipped.copy_(torch.as_tensor(state["skipped"]))
