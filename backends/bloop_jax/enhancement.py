"""IRE as an optax gradient transformation, around any other."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import optax
from jax import lax

from bloop_jax.trees import flatten
from bloop_ref import ire as reference
from bloop_ref.aliases import Schedule, Vector

Score: TypeAlias = Vector | Callable[[], Vector] | None
"""A pytree like the parameters, or a function of no argument that computes it."""


class IREOptimiserState(NamedTuple):
    """What ``ire`` carries: the base transformation's state, and IRE's own beside it."""

    base: Any
    ire: reference.IREState


def ire(
    base: optax.GradientTransformation,
    kappa: Schedule,
    fraction: float,
    *,
    interval: int = 10,
    warmup: int = 0,
    rho: Schedule = 1,
    convention: Literal["paper", "topk_official"] = "paper",
    ties: Literal["include", "stable"] = "include",
    nonfinite: Literal["skip", "raise", "propagate"] = "skip",
) -> optax.GradientTransformationExtraArgs:
    """Return a transformation whose updates are those of another, 1 + kappa times on flat entries.

    ``base`` is a whole optimiser, learning rate and weight decay in it. ``update(grads, state,
    params, fisher_grads=...)`` refreshes the mask on every ``interval``-th step after the warm-up,
    from a gradient whose *labels are drawn from the model's own prediction*; on other steps the
    argument is not looked at. Given as a function, ``fisher_grads=lambda: jax.grad(loss)(params)``,
    it is called on those steps only, under ``jit`` within ``lax.cond``. ``curvature=`` takes a
    score instead, such as a Hessian diagonal. Under ``jit`` pass the same arguments on every step.

    Args:
        base: the base optimiser; it gets all other extra arguments of ``update``.
        kappa: the enhancement, >= 0: a number, a scalar array, or an optax schedule.
        fraction: the flat part of all coordinates, in [0, 1], a Python number.
        interval: the number of steps from one refresh to the next.
        warmup: the number of steps that are the base's alone.
        rho: the weight of a new score in the average that makes the mask; 1 keeps no average.
        convention: as in ``bloop_ref.ire.mask``, and so is ``ties``.
        ties: what happens to scores equal to the threshold.
        nonfinite: as in ``bloop_ref.ire.IRE``; ``"raise"`` skips within ``jit``.

    Raises:
        ValueError, TypeError: an option is none of its choices; in ``update``, structures or shapes
            differ, or both ``fisher_grads`` and ``curvature`` are given.

    Example:
        >>> import jax.numpy as jnp
        >>> optimiser = ire(optax.sgd(0.5), kappa=3.0, fraction=0.5)
        >>> params, hessian = jnp.array([1.0, 1.0]), jnp.array([1.0, 0.0625])
        >>> state = optimiser.init(params)
        >>> updates, state = optimiser.update(hessian * params, state, params, curvature=hessian)
        >>> updates
        Array([-0.5  , -0.125], dtype=float32)

    Source: Wang et al., NeurIPS 2024, algorithm 1; see ``bloop_ref.ire``.
    """
    inner = optax.with_extra_args_support(base)
    method = reference.IRE(
        kappa,
        fraction,
        interval=interval,
        warmup=warmup,
        rho=rho,
        convention=convention,
        ties=ties,
        nonfinite=nonfinite,
    )

    def init(params: Vector) -> IREOptimiserState:
        leaves, structure = flatten(params)
        return IREOptimiserState(inner.init(params), _rebuilt(method.init(leaves), structure))

    def update(
        updates: Vector,
        state: IREOptimiserState,
        params: Vector = None,
        *,
        fisher_grads: Score = None,
        curvature: Score = None,
        **extra: Any,
    ) -> tuple[Vector, IREOptimiserState]:
        own = _refreshed(method, state.ire, fisher_grads, curvature)
        moved, after = inner.update(updates, state.base, params, **extra)
        leaves, structure = flatten(moved)
        nothing: list[Any] = [None] * len(leaves)  # an update is a step from zero
        amplified, own = method.step(nothing, leaves, _flat(own))
        rebuilt = jax.tree.unflatten(structure, amplified)
        return rebuilt, IREOptimiserState(after, _rebuilt(own, structure))

    return optax.GradientTransformationExtraArgs(init, update)


def _refreshed(
    method: reference.IRE, state: reference.IREState, fisher_grads: Score, curvature: Score
) -> reference.IREState:
    """Return the state, with a new mask if this step is to have one and there is a score."""
    if fisher_grads is not None and curvature is not None:
        raise TypeError("update takes fisher_grads= or curvature=; both were given")
    given = curvature if fisher_grads is None else fisher_grads
    if given is None:
        return state

    def refresh() -> reference.IREState:
        score, found = flatten(given() if callable(given) else given)
        _, structure = flatten(state.mask)
        if found != structure:
            raise ValueError(
                "fisher_grads or curvature must have the tree structure of the parameters: "
                f"required {structure}, found {found}"
            )
        score = score if fisher_grads is None else reference.curvature(score)
        return _rebuilt(method.refresh(score, _flat(state)), structure)

    due = method.should_refresh(state.count)
    if not isinstance(due, jax.core.Tracer):  # eager cond would compile both branches every time
        return refresh() if due else state
    refreshed: reference.IREState = lax.cond(due, refresh, lambda: state)
    return refreshed


def _flat(state: reference.IREState) -> reference.IREState:
    """Return the state with lists of leaves as its vectors."""
    return state._replace(mask=flatten(state.mask)[0], score=flatten(state.score)[0])


def _rebuilt(state: reference.IREState, structure: Any) -> reference.IREState:
    """Return the state with vectors of a structure from lists of their leaves."""
    return state._replace(
        mask=jax.tree.unflatten(structure, state.mask),
        score=jax.tree.unflatten(structure, state.score),
    )
