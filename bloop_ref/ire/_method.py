"""IRE with its state: when the mask is refreshed, and what a bad score does to it."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal, NamedTuple

import array_api_compat

from bloop_ref._arrays import beside
from bloop_ref._columns import quiet
from bloop_ref._scalars import as_scalar, at_step, check_choice, check_schedule
from bloop_ref._typing import Array, Leaves, Scalar, Schedule, Vector
from bloop_ref._vectors import align
from bloop_ref.ema import Tracking
from bloop_ref.ire._amplify import amplified, mask_leaves
from bloop_ref.ire._mask import Convention, Part, Ties, check_mask_options, flattest


class IREState(NamedTuple):
    """What IRE carries from step to step: a mask, an average of scores, and two counters.

    ``mask`` is n, all false until the first refresh; ``score`` the average of the scores, its
    leaves ``None`` where none is kept (``rho=1``). ``count`` is the number of steps taken and
    ``skipped`` how many refreshes found a score that was not finite and changed nothing; both are
    zero-dimensional int32 arrays.
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
        convention: as in ``mask``, and so is ``ties``.
        ties: what happens to scores equal to the threshold.
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
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be an integer >= {least}; found {value!r}")
            if value < least:
                raise ValueError(f"{name} must be an integer >= {least}; found {value}")

    def init(self, like: Vector) -> IREState:
        """Return the state before the first step, for parameters like the given vector.

        Raises what ``mask`` raises for a bad vector.
        """
        columns = align(like=like)
        (leaves,) = columns.leaves
        marks = tuple(
            None if x is None else columns.xp.zeros_like(x, dtype=columns.xp.bool) for x in leaves
        )
        score = self._tracking.zeros(columns) if self._keeps_average else (None,) * len(leaves)
        return IREState(
            columns.unflatten(marks),
            columns.unflatten(score),
            columns.counter(0),
            columns.counter(0),
        )

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
        columns = align(score=score)
        marks = mask_leaves("state.mask", _checked(state).mask, columns)
        filled = columns.unflatten(tuple(map(_of_marked, columns.leaves[0], marks)))
        columns = align(score=filled, **{"state.score": state.score})
        _, after, kept_out = self._tracking.advance(
            "score",
            columns,
            rho=as_scalar("rho", at_step(self.rho, state.count), columns, most=1),
            fresh=False,
        )
        found = flattest(columns.of(after), self.fraction, self.convention, self.ties)
        keep = columns.scalar(kept_out, columns.xp.int32) > 0
        return IREState(
            columns.unflatten(_choose(keep, marks, found, columns.xp)),
            columns.unflatten(after) if self._keeps_average else state.score,
            state.count,
            columns.counter(state.skipped + kept_out),
        )

    @quiet
    def step(self, before: Vector, after: Vector, state: IREState) -> tuple[Vector, IREState]:
        """Return ``amplify`` of a step of the base optimiser, and the next state.

        Args:
            before: the parameters before the base step.
            after: the parameters after it.
            state: what ``init``, ``step`` or ``refresh`` returned.

        Raises:
            TypeError: as in ``amplify``, or ``state`` is no ``IREState``.
            ValueError: as in ``amplify``.
        """
        columns = align(after=after, before=before)
        marks = mask_leaves("state.mask", _checked(state).mask, columns)
        kappa = as_scalar("kappa", at_step(self.kappa, state.count), columns)
        leaves = tuple(amplified(columns, marks, kappa, state.count >= self.warmup))
        return columns.unflatten(leaves), state._replace(count=columns.counter(state.count + 1))

    @property
    def _keeps_average(self) -> bool:
        varies = callable(self.rho) or array_api_compat.is_array_api_obj(self.rho)
        return varies or self.rho != 1

    @property
    def _tracking(self) -> Tracking:
        return Tracking("updated", "zeros", self.nonfinite, None)


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


def _choose(condition: Array, one: Leaves, other: Leaves, xp: Any) -> Leaves:
    """Return the leaves of one mask or of the other, without reading the condition."""
    return tuple(
        None if x is None else xp.where(beside(condition, x, xp), x, y)
        for x, y in zip(one, other, strict=True)
    )
