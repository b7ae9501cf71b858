"""Algorithm 1 with its state: Bloop for any optimiser."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from bloop_ref._columns import quiet
from bloop_ref._scalars import as_scalar, at_step, check_choice, check_schedule
from bloop_ref._typing import Array, Leaves, Scalar, Schedule, Vector
from bloop_ref._vectors import Columns, align
from bloop_ref.coefficients import rescaling
from bloop_ref.direction import Diagnostics, direction, measure
from bloop_ref.ema import Tracking


class BloopState(NamedTuple):
    """What Bloop carries from step to step: one vector and two counters.

    ``ema`` is the moving average of main gradients, ``count`` the number of steps taken and
    ``skipped`` how many of them had a main gradient that was not finite and left ``ema`` alone;
    both are zero-dimensional int32 arrays, so that reading them never blocks a device by itself.
    """

    ema: Vector
    count: Array
    skipped: Array


@dataclass(frozen=True, init=False)
class Bloop:
    """Bloop, Algorithm 1: the direction for any optimiser, and the state from step to step.

    One step projects the auxiliary gradient on the moving average of *earlier* main gradients,
    d = g_main + lam pi(g_aux; e), and only then updates it, e <- (1 - rho) e + rho g_main. Because
    the e in use does not depend on the current batch, E[d] = E[g_main] + lam pi(E[g_aux]; e).

    Args:
        lam: the weight of the auxiliary loss, >= 0: a number, a scalar array, or a function of the
            number of steps taken.
        rho: the weight of the new gradient in the average, in [0, 1], likewise.
        project_on: ``"previous"``, the e of Algorithm 1, or ``"updated"``, which updates e first: a
            different, biased estimator.
        init: the first e: ``"zeros"``, so that the first direction is g_main + lam g_aux, or
            ``"first"``, the first finite main gradient.
        rescale: multiply the direction by 1 / (1 + lam), as the paper does with SGD at large lam.
        nonfinite: after a main gradient with NaN or infinity, ``"skip"`` keeps e and counts the
            step, ``"propagate"`` is the bare equation, ``"raise"`` raises where it can be read,
            and skips where it cannot (under a tracer). The direction always shows what came in, and
            a non-finite auxiliary gradient never reaches e.
        ema_dtype: the dtype of e, float32 or float64; by default each leaf's own, at least float32.

    Raises:
        ValueError: an option is none of its choices; in ``step``, what ``bloop_direction`` raises.

    Example:
        >>> import numpy as np
        >>> bloop = Bloop(lam=0.5, rho=0.5)
        >>> state = bloop.init(np.zeros(2))
        >>> g_main, g_aux = np.array([3.0, 4.0]), np.array([-5.0, 0.0])
        >>> direction, state = bloop.step(g_main, g_aux, state)
        >>> direction, state.ema
        (array([0.5, 4. ]), array([1.5, 2. ]))
        >>> bloop.step(g_main, g_aux, state)[0]
        array([1.4, 5.2])

    Source: Algorithm 1 and eq. 5; ``rescale`` from the experiments' appendix.
    """

    lam: Schedule
    rho: Schedule
    rescale: bool
    tracking: Tracking

    def __init__(
        self,
        lam: Schedule,
        rho: Schedule,
        *,
        project_on: Literal["previous", "updated"] = "previous",
        init: Literal["zeros", "first"] = "zeros",
        rescale: bool = False,
        nonfinite: Literal["skip", "raise", "propagate"] = "skip",
        ema_dtype: Any = None,
    ) -> None:
        """Check the options; see the class."""
        check_schedule("lam", lam)
        check_schedule("rho", rho, most=1)
        check_choice("rescale", rescale, (False, True))
        object.__setattr__(self, "lam", lam)
        object.__setattr__(self, "rho", rho)
        object.__setattr__(self, "rescale", rescale)
        object.__setattr__(self, "tracking", Tracking(project_on, init, nonfinite, ema_dtype))

    def init(self, like: Vector) -> BloopState:
        """Return the state before the first step, for gradients like the given vector.

        Raises what ``bloop_direction`` raises for a bad vector, and ``ValueError`` for an
        ``ema_dtype`` that cannot hold an average.
        """
        columns = align(like=like)
        ema = columns.unflatten(self.tracking.zeros(columns))
        return BloopState(ema, columns.counter(0), columns.counter(0))

    @quiet
    def step(self, g_main: Vector, g_aux: Vector, state: BloopState) -> tuple[Vector, BloopState]:
        """Return the direction and the next state.

        Args:
            g_main: the main gradient of this batch, a pytree of arrays; ``None`` is zero.
            g_aux: the auxiliary gradient, of the same structure, shapes and library.
            state: what ``init`` or the previous ``step`` returned.

        Raises:
            TypeError: a leaf is no floating array, array libraries are mixed, or ``state`` is no
                ``BloopState``.
            ValueError: structures, shapes or devices differ, or lam or rho is out of range.
            FloatingPointError: with ``nonfinite="raise"``, the main gradient is not finite.
        """
        columns = _aligned(g_main, g_aux, state)
        lam = as_scalar("lam", at_step(self.lam, state.count), columns)
        ema, next_ema, kept_out = self._advance(columns, state)
        factor = rescaling(lam=lam) if self.rescale else 1
        d = direction(columns.of(*columns.leaves[:2], ema), lam, factor=factor)
        return columns.unflatten(d), BloopState(
            columns.unflatten(next_ema),
            columns.counter(state.count + 1),
            columns.counter(state.skipped + kept_out),
        )

    @quiet
    def diagnostics(self, g_main: Vector, g_aux: Vector, state: BloopState) -> Diagnostics:
        """Return ``diagnostics`` of the gradients and the average that the next step projects on.

        Args and raises as in ``step``.
        """
        columns = _aligned(g_main, g_aux, state)
        ema, _, _ = self._advance(columns, state)
        return measure(columns.of(*columns.leaves[:2], ema))

    def _advance(self, columns: Columns, state: BloopState) -> tuple[Leaves, Leaves, Scalar]:
        """Return the e to project on, the next e, and 1 if the main gradient was kept out."""
        g_main, _, ema = columns.leaves
        return self.tracking.advance(
            "g_main",
            columns.of(g_main, ema),
            rho=as_scalar("rho", at_step(self.rho, state.count), columns, most=1),
            fresh=columns.scalar(state.count == state.skipped, columns.xp.bool),
        )


def _aligned(g_main: Vector, g_aux: Vector, state: BloopState) -> Columns:
    """Check the arguments of a step."""
    if not isinstance(state, BloopState):
        raise TypeError(
            f"state must be a BloopState, as init and step return it; found {type(state).__name__}"
        )
    return align(g_main=g_main, g_aux=g_aux, **{"state.ema": state.ema})
