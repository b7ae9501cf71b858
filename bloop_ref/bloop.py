"""Bloop (section 2): the rows of one step over (g_main, g_aux, e), e the average of g_main."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from bloop_ref import every as extension
from bloop_ref.aliases import Rows, Scalar, Schedule, Vector
from bloop_ref.arrays import quiet
from bloop_ref.diagnostics import Diagnostics
from bloop_ref.driver import State, memory_dtypes
from bloop_ref.gram_method import GramMethod
from bloop_ref.gramian import Gramian, Pairs
from bloop_ref.linear import combination, gramian
from bloop_ref.scalars import as_scalar, check_choice, ratio
from bloop_ref.vectors import Stack, align

MAIN, AUX, EMA = 0, 1, 2
PAIRS = ((AUX, EMA), (EMA, EMA))


def direction_row(gram: Gramian, *, lam: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Eq. 5: d = g_main + lam (g_aux - k e), k = <g_aux, e> / ||e||^2; eq. 3 for e = g_main."""
    k = ratio(gram[AUX, EMA], gram[EMA, EMA])  # 0 where ||e|| is 0: section 3.1, footnote 1
    return (1, lam, -lam * k)


def ema_row(*, rho: Scalar) -> tuple[Scalar, Scalar, Scalar]:
    """Algorithm 1, after the step has been taken: e <- (1 - rho) e + rho g_main."""
    return (rho, 0, 1 - rho)


@dataclass(frozen=True, init=False)
class Bloop(GramMethod):
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
        every: m >= 1: only every m-th step takes both gradients. 1 is Bloop; more is an extension
            of this project, see ``bloop_ref.every``. ``full(count)`` says whether a step is one of
            those; any other is ``step([x], state)``, x the gradient of L_main + lam L_aux with the
            lam of that step. More than those may be full.
        kappa: with ``every``, the weight of the new auxiliary gradient in the held one, in (0, 1].

    Raises:
        TypeError, ValueError: an option is none of the above; in ``step``, what
            ``bloop_direction`` raises, or one gradient is given where a full step is due.

    Example:
        >>> import numpy as np
        >>> bloop = Bloop(lam=0.5, rho=0.5)
        >>> state = bloop.init(np.zeros(2))
        >>> g_main, g_aux = np.array([3.0, 4.0]), np.array([-5.0, 0.0])
        >>> direction, state = bloop.step([g_main, g_aux], state)
        >>> direction, state.ema
        (array([0.5, 4. ]), array([1.5, 2. ]))
        >>> bloop.step([g_main, g_aux], state)[0]
        array([1.4, 5.2])

    Source: Algorithm 1 and eq. 5; ``rescale`` from the experiments' appendix.
    """

    numbers: ClassVar[dict[str, float | None]] = {"lam": None, "rho": 1, "kappa": 1}
    several: ClassVar[tuple[str, ...]] = ()
    least_losses: ClassVar[int] = 2
    most_losses: ClassVar[int | None] = 2

    lam: Schedule
    rho: Schedule
    project_on: str
    first_average: str
    rescale: bool
    memory_dtype: Any
    every: int
    kappa: Schedule

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
        every: int = 1,
        kappa: Schedule = 1,
    ) -> None:
        """Check the options; see the class."""
        extension.check_options(every, kappa, project_on)
        for name, value in (("lam", lam), ("rho", rho), ("every", every), ("kappa", kappa)):
            object.__setattr__(self, name, value)
        set_averaging(self, project_on, init, rescale, nonfinite, ema_dtype)

    def pairs(self, losses: int) -> Pairs:
        """Return <g_aux, e> and ||e||^2; on a step between <A, e> and ||e||^2."""
        return PAIRS if losses == 2 else extension.PAIRS

    def weights(self, gram: Gramian, scalars: Any, **given: Scalar) -> tuple[Any, Any]:
        """Return ``direction_row``; on a step between ``every.between_row``."""
        if gram.size == self.remembers(2) + 1:
            return extension.between_row(gram, lam=self.lam), scalars
        unread = (0,) * (self.remembers(2) - 1)  # A, where there is one
        return (*direction_row(gram, lam=self.lam), *unread), scalars

    def remembers(self, losses: int) -> int:
        """Return 1, for e; with ``every`` 2, for e and A."""
        return 1 if self.every == 1 else 2

    def memory(self, losses: int) -> Rows:
        """Return ``ema_row``; with ``every`` the row of A too."""
        if losses == 1:
            return extension.between_memory(lam=self.lam, rho=self.rho)
        row = ema_row(rho=self.rho)
        return (row,) if self.every == 1 else extension.full_memory(row, kappa=self.kappa)

    def starts(self, losses: int) -> tuple[bool, ...]:
        """Return whether e starts at the first gradient; A always does."""
        return (self.first_average == "first", True)[: self.remembers(losses)]

    def watched(self, losses: int) -> tuple[int, ...]:
        """Return the place of g_main, whatever rho is; with ``every`` those of all gradients."""
        return (MAIN,) if self.every == 1 else tuple(range(losses))

    def auxiliary_weights(self, losses: int) -> tuple[Scalar, ...]:
        """Return lam, also where one gradient holds both losses."""
        return (self.lam,)

    def described(self, gram: Gramian, losses: int) -> Diagnostics:
        """Return the diagnostics of a step; with ``every`` those of ``bloop_ref.every``."""
        of_step = super().described if self.every == 1 else extension.described
        return of_step(gram, losses)

    def check_losses(self, name: str, losses: int) -> None:
        """Raise ``ValueError`` unless there are two losses; with ``every`` one gradient will do."""
        if not (self.every > 1 and losses == 1 and name == "gradients"):
            super().check_losses(name, losses)

    def aligned(self, gradients: Sequence[Vector], state: State) -> Stack:
        """Check the arguments of a step; return its stack, gradients first, then memory."""
        stack = super().aligned(gradients, state)
        if len(gradients) == 1:
            extension.check_due(self.every, state.count)
        return stack


def set_averaging(
    method: GramMethod, project_on: str, init: str, rescale: bool, nonfinite: str, ema_dtype: Any
) -> None:
    """Check the options of a method that averages gradients, and give them to it."""
    check_choice("project_on", project_on, ("previous", "updated"))
    check_choice("init", init, ("zeros", "first"))
    check_choice("rescale", rescale, (False, True))
    for name, value in (
        ("project_on", project_on),
        ("first_average", init),
        ("rescale", rescale),
        ("nonfinite", nonfinite),
        ("memory_dtype", ema_dtype),
    ):
        object.__setattr__(method, name, value)
    method.__post_init__()


@quiet
def bloop_direction(g_main: Vector, g_aux: Vector, ema: Vector, *, lam: Scalar) -> Vector:
    """Return Bloop's direction, d = g_main + lam pi(g_aux; ema).

    pi(u; v) = u - <u, v> / ||v||^2 v with pi(u; 0) = u, the inner product over all leaves
    together. So <d - g_main, ema> = 0; and with ``ema = g_main`` (the full batch, eq. 3)
    <d, g_main> = ||g_main||^2: to first order the main loss falls as under gradient descent.

    Args:
        g_main: the main gradient of this step, a pytree of arrays; ``None`` is zero.
        g_aux: the auxiliary gradient, of the same structure, shapes and library.
        ema: the moving average of the main gradients *before* this step, likewise.
        lam: the weight of the auxiliary loss, a number or zero-dimensional array >= 0.

    Returns:
        The direction, with the dtypes of ``g_main``; non-finite inputs show in it. Its distance
        from the exact d is at most ``k u (||g_main|| + lam ||g_aux||)``, u the unit roundoff of
        the leaves: k = 2 where sums are carried in a wider dtype, k = 5 for float64. The largest
        entries of g_aux and ema may lie a factor of 1e140 apart in float64 (1e14 on a device
        without); where they lie so far apart that a square is lost, the direction is NaN.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: structures, shapes or devices differ, or lam < 0.

    Example:
        >>> import numpy as np
        >>> g_main, g_aux = np.array([3.0, 4.0]), np.array([-5.0, 0.0])
        >>> bloop_direction(g_main, g_aux, g_main, lam=0.5)
        array([1.4, 5.2])

    Source: eq. 5; with ``ema = g_main`` eq. 3.
    """
    stack = align(g_main=g_main, g_aux=g_aux, ema=ema)
    row = direction_row(gramian(stack, PAIRS), lam=as_scalar("lam", lam, stack))
    return stack.unflatten(combination(stack, row))


@quiet
def update_ema(ema: Vector, g_main: Vector, *, rho: Scalar) -> Vector:
    """Return the next moving average of main gradients, (1 - rho) ema + rho g_main.

    Args:
        ema: the moving average so far, a pytree of arrays; ``None`` is zero.
        g_main: the main gradient of this step, of the same structure, shapes and library.
        rho: the weight of the *new* gradient, a number or zero-dimensional array in [0, 1].

    Returns:
        The average, with the dtypes of ``ema``; at least float32 where ``ema`` is ``None``.

    Raises:
        TypeError: a leaf is no floating array, or array libraries are mixed.
        ValueError: structures, shapes or devices differ, or rho is outside [0, 1].

    Example:
        >>> import numpy as np
        >>> update_ema(np.array([1.0, 0.0]), np.array([3.0, 4.0]), rho=0.25)
        array([1.5, 1. ])

    Source: Algorithm 1, after the step has been taken; section 2.2.
    """
    stack = align(g_main=g_main, ema=ema)
    weight, _, rest = ema_row(rho=as_scalar("rho", rho, stack, most=1))
    return stack.unflatten(combination(stack, (weight, rest), memory_dtypes(stack, 1, 0)))
