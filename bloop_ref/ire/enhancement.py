"""IRE with its state: when the mask is refreshed, and what a bad score does to it."""

from dataclasses import KW_ONLY, dataclass
from typing import Literal, NamedTuple

import array_api_compat

from bloop_ref.aliases import Array, Scalar, Schedule, Vector
from bloop_ref.arrays import kind, quiet
from bloop_ref.driver import memory_dtypes, watched_finite, zeros
from bloop_ref.ire.amplification import amplified, mask_leaves
from bloop_ref.ire.flatness import Convention, Part, Ties, check_mask_options, flattest
from bloop_ref.linear import combination
from bloop_ref.scalars import as_scalar, check_choice, check_schedule
from bloop_ref.vectors import Stack, align, all_finite, choose


class IREState(NamedTuple):
    """What IRE carries from step to step: a mask, an average of scores, and two counters.

    ``mask`` is n, all false until the first refresh; ``score`` the average of the scores, its
    leaves ``None`` where none is kept (``rho=1``); ``count`` the number of steps taken and
    ``skipped`` that of refreshes whose score was not finite and changed nothing, as int32 arrays.
    """

    mask: Vector
    score: Vector
    count: Array
    skipped: Array


@dataclass(frozen=True)
class IRE:
    """IRE around any base optimiser: when to look at the curvature, and the amplified step.

    Steps are counted from 0. From step ``warmup`` on, every ``interval``-th step begins with a
    refresh of the mask, and every step moves the flat coordinates 1 + kappa times as far:

        if ire.should_refresh(state.count):
            state = ire.refresh(curvature(fisher_gradient), state)
        params, state = ire.step(params, base_step(params), state)

    The base optimiser's own state never sees it.

    Args:
        kappa: the enhancement, >= 0: a number, a scalar array, or a function of the number of
            steps taken, the warm-up among them.
        fraction: the flat part of all coordinates, in [0, 1].
        interval: the number of steps from one refresh to the next, at least 1.
        warmup: the number of steps that are the base optimiser's alone.
        rho: the weight of a new score in the average whose order makes the mask, in [0, 1],
            likewise a number or a function; 1, the default, keeps no average.
        convention, ties: as in ``mask``.
        nonfinite: after a score with NaN or infinity, ``"skip"`` keeps mask and average and counts
            the refresh, ``"raise"`` raises where the values can be read, and skips where they
            cannot; ``"propagate"`` takes it as ``mask`` does, NaN as sharp.

    Raises:
        TypeError, ValueError: an option is none of the above.

    Example:
        >>> import numpy as np
        >>> ire = IRE(kappa=3.0, fraction=0.5, interval=2)
        >>> params, hessian = np.array([1.0, 1.0]), np.array([1.0, 0.0625])
        >>> state = ire.init(params)
        >>> for _ in range(2):
        ...     if ire.should_refresh(state.count):
        ...         state = ire.refresh(hessian, state)
        ...     params, state = ire.step(params, params - 0.5 * hessian * params, state)
        >>> params  # plain gradient descent: 0.25, 0.938...
        array([0.25    , 0.765625])

    Source: Wang et al., algorithm 1.
    """

    kappa: Schedule
    fraction: Part
    _: KW_ONLY
    interval: int = 10
    warmup: int = 0
    rho: Schedule = 1
    convention: Convention = "paper"
    ties: Ties = "include"
    nonfinite: Literal["skip", "raise", "propagate"] = "skip"

    def __post_init__(self) -> None:
        """Check the options."""
        check_schedule("kappa", self.kappa)
        check_schedule("rho", self.rho, most=1)
        check_mask_options(self.fraction, self.convention, self.ties)
        check_choice("nonfinite", self.nonfinite, ("skip", "raise", "propagate"))
        for name, value, least in (("interval", self.interval, 1), ("warmup", self.warmup, 0)):
            if type(value) is not int or value < least:
                error = ValueError if type(value) is int else TypeError
                raise error(f"{name} must be an integer >= {least}; found {value!r}")

    def init(self, like: Vector) -> IREState:
        """Return the state before the first step; raises as ``mask`` does for a bad vector."""
        stack = align(like=like)
        (leaves,), xp = stack.leaves, stack.xp
        marks = tuple(None if x is None else xp.zeros_like(x, dtype=xp.bool) for x in leaves)
        # a curvature is real, whatever the parameter
        real = (xp.real(x) if x is not None and kind(x, xp) == "complex" else x for x in leaves)
        kept = zeros(stack.of(tuple(real)), None) if self._keeps_average else (None,) * len(leaves)
        counters = stack.counter(0), stack.counter(0)
        return IREState(stack.unflatten(marks), stack.unflatten(kept), *counters)

    def should_refresh(self, count: Scalar) -> Scalar:
        """Return whether step ``count`` is to begin with a refresh; an array for an array."""
        return (count >= self.warmup) & ((count - self.warmup) % self.interval == 0)

    @quiet
    def refresh(self, score: Vector, state: IREState) -> IREState:
        """Return the state with the mask of a new score, or with that of its average.

        Args:
            score: ``curvature`` of a gradient, or anything that orders coordinates as it does. A
                ``None`` leaf is zero where the mask has a leaf.
            state: what ``init``, ``step`` or ``refresh`` returned.

        Raises:
            TypeError: a leaf is no floating array, array libraries are mixed, or ``state`` is no
                ``IREState``.
            ValueError: structures, shapes or devices differ from those of the parameters.
            FloatingPointError: with ``nonfinite="raise"``, the score is not finite.
        """
        stack = align(score=score)
        marks = mask_leaves("state.mask", _checked(state).mask, stack)
        filled = stack.unflatten(tuple(map(_of_marked, stack.leaves[0], marks)))
        stack = align(score=filled, **{"state.score": state.score})
        rho = _now("rho", self.rho, state, stack, most=1)
        after = combination(stack, (rho, 1 - rho), memory_dtypes(stack, 1, 0))
        moved = watched_finite(self.nonfinite, ["score"], lambda: all_finite(stack, (0,)))
        if moved is not None:
            after = choose(stack, moved, after, stack.leaves[1])
        found, skipped = flattest(stack.of(after), self.fraction, self.convention, self.ties), 0
        if moved is not None:
            found = choose(stack, moved, found, marks)
            skipped = 1 - stack.xp.astype(moved, stack.xp.int32)
        return IREState(
            stack.unflatten(found),
            stack.unflatten(after) if self._keeps_average else state.score,
            state.count,
            stack.counter(state.skipped + skipped),
        )

    @quiet
    def step(self, before: Vector, after: Vector, state: IREState) -> tuple[Vector, IREState]:
        """Return ``amplify`` of a step of the base optimiser, and the next state.

        Args and what is raised are as in ``amplify``, and in ``refresh`` for the state.
        """
        stack = align(after=after, before=before)
        marks = mask_leaves("state.mask", _checked(state).mask, stack)
        kappa = _now("kappa", self.kappa, state, stack)
        leaves = tuple(amplified(stack, marks, kappa, state.count >= self.warmup))
        return stack.unflatten(leaves), state._replace(count=stack.counter(state.count + 1))

    @property
    def _keeps_average(self) -> bool:
        varies = callable(self.rho) or array_api_compat.is_array_api_obj(self.rho)
        return varies or self.rho != 1


def _checked(state: IREState) -> IREState:
    if not isinstance(state, IREState):
        raise TypeError(
            f"state must be an IREState, as init and step return it; found {type(state).__name__}"
        )
    return state


def _of_marked(score: Array | None, mark: Array | None) -> Array | None:
    """Return the score of a leaf that has a mask, zero if need be; ``None`` for any other."""
    if mark is None or score is not None:
        return None if mark is None else score
    xp = array_api_compat.array_namespace(mark)
    return xp.zeros_like(mark, dtype=xp.float32)


def _now(
    name: str, schedule: Schedule, state: IREState, stack: Stack, *, most: float | None = None
) -> Scalar:
    """Return the value of a hyper-parameter after so many steps, in the vectors' arithmetic."""
    value = schedule(state.count) if callable(schedule) else schedule
    return as_scalar(name, value, stack, most=most)
