"""Bloop in a training loop: two backward passes, one direction in ``.grad``, any optimiser."""

from contextlib import AbstractContextManager
from typing import Any, Literal

import torch
from torch import Tensor
from torch.distributed import ProcessGroup

import bloop_ref
from bloop_torch import _between
from bloop_torch._hyperparameters import altered
from bloop_torch._parameters import Parameters
from bloop_torch._replicas import When
from bloop_torch.surgery import Surgery


class Bloop(Surgery):
    """Bloop, Algorithm 1, on the gradients of a model's parameters: ``Surgery`` with that method.

    ``backward`` leaves the direction d = g_main + lam pi(g_aux; e) in ``.grad``, and then lets
    g_main enter the moving average e. That average, in float32 at least, is the one parameter-sized
    buffer that lasts; the direction takes the memory of the auxiliary gradient. A parameter that
    only the auxiliary loss reaches gets lam g_aux.

    Args:
        params: as in ``Surgery``, and so are ``average_over`` and ``compare_ranks``.
        lam: the weight of the auxiliary loss, >= 0, or a function of the number of steps taken.
            As ``bloop.lam`` it can be read and set.
        rho: the weight of the new gradient in the average, in [0, 1], likewise.
        project_on: as in ``bloop_ref.Bloop``, and so are ``init``, ``rescale`` and ``nonfinite``.
        ema_dtype: ``torch.float32`` or ``torch.float64``; by default each parameter's, but at least
            float32.
        every: m, an extension of this project, see ``bloop_ref.every``: only every m-th step takes
            both gradients. On the others ``backward`` makes one backward pass, of main + lam aux.
        kappa: with ``every``, the weight of the new auxiliary gradient in the held one.

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

    method: bloop_ref.Bloop

    def __init__(
        self,
        params: Parameters,
        *,
        lam: Any,
        rho: Any,
        project_on: Literal["previous", "updated"] = "previous",
        init: Literal["zeros", "first"] = "zeros",
        rescale: bool = False,
        nonfinite: Literal["skip", "raise", "propagate"] = "skip",
        ema_dtype: torch.dtype | None = None,
        every: int = 1,
        kappa: Any = 1,
        average_over: ProcessGroup | None = None,
        compare_ranks: When = "first",
    ) -> None:
        method = bloop_ref.Bloop(
            lam,
            rho,
            project_on=project_on,
            init=init,
            rescale=rescale,
            nonfinite=nonfinite,
            ema_dtype=ema_dtype,
            every=every,
            kappa=kappa,
        )
        super().__init__(params, method, average_over=average_over, compare_ranks=compare_ranks)

    @property
    def lam(self) -> Any:
        """The weight of the auxiliary loss, a number or a function; it may be set."""
        return self.method.lam

    @lam.setter
    def lam(self, value: Any) -> None:
        self.method = altered(self.method, lam=value)

    @property
    def rho(self) -> Any:
        """The weight of the new gradient in the average, likewise."""
        return self.method.rho

    @rho.setter
    def rho(self, value: Any) -> None:
        self.method = altered(self.method, rho=value)

    @property
    def ema(self) -> dict[str, Tensor]:
        """The moving average by the names of the parameters that it has been made for."""
        return _remembered(self, 0)

    @property
    def held(self) -> dict[str, Tensor]:
        """The held auxiliary gradient likewise; empty unless ``every`` is above 1."""
        return _remembered(self, 1)

    def main_gradient(self) -> AbstractContextManager[None]:
        """Return a context in which backward passes accumulate the main gradient.

        ``.grad`` of the parameters is cleared on the way out, and need not be before.
        """
        return self.gradient(0)

    def aux_gradient(self) -> AbstractContextManager[None]:
        """Return a context in which backward passes accumulate the auxiliary gradient."""
        return self.gradient(1)

    def mixed_gradient(self) -> AbstractContextManager[None]:
        """Return a context in which backward passes accumulate the gradient of main + lam aux.

        It takes the place of the other two on the steps between of ``every``, lam being that of
        the step. Raises ``ValueError`` where the step is to take both gradients.
        """
        _between.check_between(self)
        return self._gradients.phase(_between.MIXED_PHASE, self._begin)

    def _names_of_phases(self) -> tuple[str, ...]:
        return "main_gradient()", "aux_gradient()"


def _remembered(owner: Surgery, m: int) -> dict[str, Tensor]:
    """Return a remembered vector by name, as far as it has been made; nothing where none is."""
    pairs = zip(owner.parameters, *owner.state.memory[m : m + 1], strict=False)
    return {name: x for name, *rest in pairs for x in rest if x is not None}
