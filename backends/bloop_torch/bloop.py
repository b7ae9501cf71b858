"""Bloop in a training loop: two backward passes, one direction in ``.grad``, any optimiser."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal

import torch
from torch import Tensor
from torch.amp import GradScaler
from torch.distributed import ProcessGroup

from bloop_ref import Diagnostics
from bloop_ref.coefficients import rescaling
from bloop_torch import _checkpoint
from bloop_torch._average import averaged
from bloop_torch._descent import Plan, compiled_descent, descend, raise_if_bad
from bloop_torch._gradients import AUX_PHASE, MAIN_PHASE, Gradients
from bloop_torch._leaves import Row
from bloop_torch._loss_scale import loss_scale
from bloop_torch._opaque import too_many
from bloop_torch._options import Options, Schedule
from bloop_torch._parameters import Parameters, named, refuse_lbfgs
from bloop_torch._plain import AUX, MAIN
from bloop_torch._shards import agreed
from bloop_torch.step import average_dtype, direction_for


class Bloop:
    """Bloop, Algorithm 1, on the gradients of a model's parameters.

    ``backward`` leaves the direction d = g_main + lam pi(g_aux; e) in ``.grad``, where any
    first-order optimiser takes it, and then lets g_main enter the moving average e. That average,
    in float32 at least, is the one parameter-sized buffer that lasts; the direction takes the
    memory of the auxiliary gradient.

    Args:
        params: ``model.named_parameters()``, ``model.parameters()``, or an optimiser's
            ``param_groups``: all the parameters that the two losses train. Frozen and unused ones
            are zero; one that only the auxiliary loss reaches gets lam g_aux; tied ones count once.
        lam: the weight of the auxiliary loss, >= 0, or a function of the number of steps taken.
        rho: the weight of the new gradient in the average, in [0, 1], likewise.
        project_on: ``"previous"``, the e of Algorithm 1, or ``"updated"``, which updates e first.
        init: the first e: ``"zeros"``, or ``"first"``, the first finite main gradient.
        rescale: multiply the direction by 1 / (1 + lam).
        nonfinite: after a main gradient with NaN or infinity, ``"skip"`` keeps e and counts the
            step in ``skipped``, ``"propagate"`` is the bare equation, ``"raise"`` raises.
        ema_dtype: ``torch.float32`` or ``torch.float64``; by default each parameter's, but at least
            float32.
        average_over: a process group to average both gradients over before the projection. Only for
            gradients that nothing else averages: DDP and FSDP do it in their backward passes.
        compiled: run the step through ``torch.compile``: the faster choice on a GPU. On the CPU
            it has no effect with more than 16 parameters, which take a compiler a second each.

    Raises:
        TypeError, ValueError: an argument is none of the above.

    Example:
        >>> import torch
        >>> from bloop_torch import Bloop
        >>> weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
        >>> optimizer = torch.optim.SGD([weight], lr=1.0)
        >>> bloop = Bloop([weight], lam=0.5, rho=0.5)
        >>> for _ in range(2):
        ...     bloop.backward((weight**2).sum() / 2, -5 * weight[0])
        ...     print(weight.grad)
        ...     optimizer.step()
        tensor([0.5000, 4.0000])
        tensor([0.9000, 1.2000])

    Source: Algorithm 1 and eq. 5 of arXiv 2402.02998v2.
    """

    def __init__(
        self,
        params: Parameters,
        *,
        lam: Schedule,
        rho: Schedule,
        project_on: Literal["previous", "updated"] = "previous",
        init: Literal["zeros", "first"] = "zeros",
        rescale: bool = False,
        nonfinite: Literal["skip", "raise", "propagate"] = "skip",
        ema_dtype: torch.dtype | None = None,
        average_over: ProcessGroup | None = None,
        compiled: bool = False,
    ) -> None:
        self.options = Options(lam, rho, project_on, init, rescale, nonfinite, ema_dtype)
        self.parameters = named(params)
        self.ema: dict[str, Tensor] = {}
        self.count = 0
        device = next(iter(self.parameters.values())).device
        self.skipped = torch.zeros((), dtype=torch.int64, device=device)
        self._gradients = Gradients(self.parameters, (MAIN_PHASE, AUX_PHASE))
        self._group = average_over
        compilable = compiled and not too_many([(p,) for p in self.parameters.values()])
        self._compiled = compiled_descent() if compilable else None
        refuse_lbfgs(self.parameters, self)

    def main_gradient(self) -> AbstractContextManager[None]:
        """Return a context in which backward passes accumulate the main gradient.

        ``.grad`` of the parameters is cleared on the way out, and need not be before.
        """
        return self._gradients.phase(MAIN_PHASE)

    def aux_gradient(self) -> AbstractContextManager[None]:
        """Return a context in which backward passes accumulate the auxiliary gradient."""
        return self._gradients.phase(AUX_PHASE)

    def accumulate(
        self,
        main_loss: Tensor,
        aux_loss: Tensor,
        *,
        shared_graph: bool = True,
        scaler: GradScaler | None = None,
    ) -> None:
        """Add the gradients of a micro-batch; ``combine``, or a last ``backward``, ends the step.

        Args:
            main_loss: the main loss.
            aux_loss: the auxiliary loss.
            shared_graph: whether the losses come out of one forward pass. ``False`` frees the graph
                of the main loss before the auxiliary backward pass.
            scaler: what to scale both losses with.
        """
        if scaler is not None:
            main_loss, aux_loss = scaler.scale(main_loss), scaler.scale(aux_loss)
        with self.main_gradient():
            torch.autograd.backward(main_loss, retain_graph=shared_graph)
        with self.aux_gradient():
            torch.autograd.backward(aux_loss)

    def backward(
        self,
        main_loss: Tensor,
        aux_loss: Tensor,
        *,
        shared_graph: bool = True,
        scaler: GradScaler | None = None,
        diagnostics: bool = False,
    ) -> Diagnostics | None:
        """Compute both gradients and leave the direction in ``.grad``.

        Args and returns as in ``accumulate`` and ``combine``, which it calls.
        """
        self.accumulate(main_loss, aux_loss, shared_graph=shared_graph, scaler=scaler)
        return self.combine(scaler=scaler, diagnostics=diagnostics)

    @torch.no_grad()
    def combine(
        self, *, scaler: GradScaler | None = None, diagnostics: bool = False
    ) -> Diagnostics | None:
        """Leave the direction of the accumulated gradients in ``.grad``, and update the average.

        Args:
            scaler: the ``GradScaler`` that scaled the losses. The direction is left scaled, for
                ``scaler.step``; the average gets the unscaled gradient, and stays as it is where
                either gradient is not finite, as the scaler skips the step.
            diagnostics: whether to return norms, cosines and the projection coefficient.

        Returns:
            ``bloop_ref.Diagnostics`` if asked for: floats on the CPU, else scalar tensors that have
            not been waited for.

        Raises:
            RuntimeError: a gradient is missing.
            FloatingPointError: with ``nonfinite="raise"``, a gradient is not finite.
        """
        main, aux = self._gradients.take()
        if self._group is not None:
            main, aux = (averaged(g, self.parameters, self._group) for g in (main, aux))
        rows = [self._row(name, main[name], aux[name]) for name in self.parameters]
        outs = [(direction_for(row, inplace=True), row[-1]) for row in rows]
        if self.options.nonfinite == "raise":
            raise_if_bad(rows)
        outcome = (self._compiled or descend)(rows, outs, self._plan(scaler, diagnostics))
        for parameter, (direction, _) in zip(self.parameters.values(), outs, strict=True):
            parameter.grad = direction
        self.count += 1
        self.skipped += ~outcome.moved if isinstance(outcome.moved, Tensor) else not outcome.moved
        return outcome.diagnostics

    def state_dict(self) -> dict[str, Any]:
        """Return the state between two steps: the average by name, counters, hyper-parameters.

        Raises ``RuntimeError`` while gradients are being accumulated.
        """
        if self._gradients.pending:
            raise RuntimeError("state_dict must be taken between steps; combine is due")
        return {
            "version": _checkpoint.VERSION,
            "hyperparameters": self.options.plain(),
            "names": list(self.parameters),
            "count": self.count,
            "skipped": self.skipped,
            "ema": dict(self.ema),
        }

    @torch.no_grad()
    def load_state_dict(
        self, state: Mapping[str, Any], *, on_change: Literal["raise", "keep"] = "raise"
    ) -> None:
        """Go on from a state, bit for bit. Hyper-parameters stay those of this object.

        Args:
            state: what ``state_dict`` returned.
            on_change: what to do if the state was saved with other hyper-parameters: ``"raise"``,
                or ``"keep"`` those of this object.

        Raises:
            ValueError: the state is of another format, model or, unless kept, hyper-parameters.
        """
        _checkpoint.check(state, self.parameters, self.options, on_change)
        self._gradients.drop()
        self.ema = {name: self._zeros(name).copy_(e) for name, e in state["ema"].items()}
        self.count = int(state["count"])
        self.skipped.copy_(torch.as_tensor(state["skipped"]))

    def _row(self, name: str, main: Tensor | None, aux: Tensor | None) -> Row:
        """Return the gradients and the average of a parameter; a zero average may be ``None``."""
        if main is not None and name not in self.ema:
            self.ema[name] = self._zeros(name)
        names = (f"g_main[{name!r}]", f"g_aux[{name!r}]", f"ema[{name!r}]")
        return agreed((main, aux, self.ema.get(name)), names)

    def _zeros(self, name: str) -> Tensor:
        parameter = self.parameters[name].detach()
        least = self.options.ema_dtype or torch.float32
        return torch.zeros_like(parameter, dtype=average_dtype(parameter.dtype, least))

    def _plan(self, scaler: GradScaler | None, diagnostics: bool) -> Plan:
        """Return what this step is to do."""
        options, lam = self.options, self.options.lam_at(self.count)
        check = (MAIN,) if options.nonfinite == "skip" else ()
        return Plan(
            lam=self._scalar(lam),
            rho=self._scalar(options.rho_at(self.count)),
            unit=loss_scale(scaler, self.skipped.device, readable=self._compiled is None),
            check=check if scaler is None else (MAIN, AUX),
            factor=self._scalar(rescaling(lam=lam)) if options.rescale else 1,
            update_first=options.project_on == "updated",
            fresh=options.init == "first" and self.count == int(self.skipped),
            diagnose=diagnostics,
        )

    def _scalar(self, value: float) -> float | Tensor:
        """Return a number so that another value does not compile the step again."""
        return value if self._compiled is None else torch.tensor(value, dtype=torch.float64)
