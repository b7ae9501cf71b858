"""Micro-batches: both gradients averaged before the optimiser sees either."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from bloop_jax.gradients import MISSING, Gradients, separated
from bloop_jax.trees import flatten
from bloop_ref.aliases import Array, Scalar, Vector


class AccumulatedState(NamedTuple):
    """What ``accumulate`` carries: the optimiser's state, means of gradients, micro-batches seen.

    ``g_aux`` is the mean of the auxiliary gradients, for more than two losses a tuple of them.
    """

    inner: Any
    g_main: Vector
    g_aux: Any
    seen: Array


def accumulate(
    optimiser: optax.GradientTransformation, every: int, *, losses: int = 2
) -> optax.GradientTransformationExtraArgs:
    """Return an optimiser that takes one step for every so many micro-batches of equal size.

    The means of the main and of the auxiliary gradients over the micro-batches are what the
    optimiser, a chain with ``bloop`` in it, gets; other updates are zero. So the moving average
    moves once a step, by the gradient of the whole batch. ``optax.MultiSteps`` would average the
    main gradients and pass on the auxiliary one of the last micro-batch alone. Gradients come as to
    ``surgery`` and go on in the same way; a micro-batch without an auxiliary loss counts as one
    whose gradient is zero. A run that goes on with a smaller ``every`` takes its first step as soon
    as it has seen so many. The means take the room of one more gradient for each loss, at least
    float32.

    Args:
        optimiser: what takes the step.
        every: how many micro-batches make a step, at least 1.
        losses: how many losses there are, at least 2.

    Raises:
        ValueError: ``every`` or ``losses`` is too small; in ``update``, a mean and a gradient
            differ in structure.
        TypeError: an argument is none of the above; in ``update``, auxiliary gradients are missing
            or were given twice.

    Example:
        >>> from bloop_jax import bloop
        >>> optimiser = accumulate(optax.chain(bloop(lam=1.0, rho=0.5), optax.sgd(1.0)), every=2)
        >>> params = jnp.zeros(2)
        >>> state = optimiser.init(params)
        >>> for g_main, g_aux in [([2.0, 0.0], [0.0, 6.0]), ([4.0, 2.0], [0.0, 0.0])]:
        ...     updates, state = optimiser.update(
        ...         jnp.array(g_main), state, params, aux_grads=jnp.array(g_aux)
        ...     )
        ...     print(updates)
        [0. 0.]
        [-3. -4.]

    Source: Algorithm 1, whose gradients are means over the batch.
    """
    _check_options(optimiser, every=(every, 1), losses=(losses, 2))
    inner = optax.with_extra_args_support(optimiser)

    def init(params: Vector) -> AccumulatedState:
        # one apiece, so that each can be donated
        main, *others = (_map(_zeros, params) for _ in range(losses))
        return AccumulatedState(inner.init(params), main, _joined(others), jnp.zeros((), jnp.int32))

    def update(
        updates: Any,
        state: AccumulatedState,
        params: Vector = None,
        *,
        aux_grads: Any = MISSING,
        **extra: Any,
    ) -> tuple[Vector, AccumulatedState]:
        gradients = separated(updates, aux_grads, losses)
        count = state.seen + 1
        before = (state.g_main, *(state.g_aux if losses > 2 else (state.g_aux,)))
        for k, pair in enumerate(zip(before, gradients, strict=True)):
            _check(f"gradients[{k}]", *pair)
        means = [
            _map(lambda mean, g: _towards(mean, g, count), *pair)
            for pair in zip(before, gradients, strict=True)
        ]

        def take() -> tuple[Vector, AccumulatedState]:
            main, *others = (_map(_like, *pair) for pair in zip(means, gradients, strict=True))
            given: dict[str, Any] = {"aux_grads": _joined(others)}
            if isinstance(updates, Gradients):
                main, given = Gradients(main, _joined(others)), {}
            taken, after = inner.update(main, state.inner, params, **given, **extra)
            zeros, *more = (_map(jnp.zeros_like, mean) for mean in means)
            return taken, AccumulatedState(after, zeros, _joined(more), jnp.zeros_like(count))

        def wait() -> tuple[Vector, AccumulatedState]:
            shapes, _ = jax.eval_shape(take)
            nothing = jax.tree.map(jnp.zeros_like, shapes)  # which vary over a mesh as those do
            main, *others = means
            return nothing, AccumulatedState(state.inner, main, _joined(others), count)

        done: tuple[Vector, AccumulatedState] = lax.cond(count >= every, take, wait)
        return done

    return optax.GradientTransformationExtraArgs(init, update)


def _check_options(optimiser: Any, **numbers: tuple[Any, int]) -> None:
    """Raise unless there is an optimiser, and each number is an integer and large enough."""
    if not all(hasattr(optimiser, name) for name in ("init", "update")):
        raise TypeError(f"optimiser must be an optax transformation; found {optimiser!r}")
    for name, (number, least) in numbers.items():
        if not isinstance(number, int):
            raise TypeError(f"{name} must be an integer; found {number!r}")
        if number < least:
            raise ValueError(f"{name} must be at least {least}; found {number}")


def _joined(others: list[Vector]) -> Any:
    """Return the auxiliary vectors as ``update`` takes them: one alone, or a tuple."""
    return others[0] if len(others) == 1 else tuple(others)


def _check(name: str, mean: Vector, gradient: Vector) -> None:
    """Raise ``ValueError`` unless a gradient is like the parameters, of which its mean was made."""
    (means, required), (leaves, found) = flatten(mean), flatten(gradient)
    if found == required:
        pairs = zip(means, leaves, strict=True)
        shapes = [(getattr(m, "shape", None), g.shape) for m, g in pairs if g is not None]
        required, found = next((pair for pair in shapes if pair[0] != pair[1]), ((), ()))
    if found != required:
        raise ValueError(
            f"{name} must have the tree structure and shapes of the parameters that init was given:"
            f" required {required}, found {found}"
        )


def _map(function: Any, tree: Vector, *rest: Vector) -> Vector:
    """Map over the leaves of trees of one structure; ``None`` stays ``None``."""
    leaves, structure = flatten(tree)
    others = [flatten(other)[0] for other in rest]
    mapped = [
        None if row[0] is None else function(*row) for row in zip(leaves, *others, strict=True)
    ]
    return jax.tree.unflatten(structure, mapped)


def _zeros(leaf: Array) -> Array:
    return jnp.zeros_like(leaf, jnp.promote_types(leaf.dtype, jnp.float32))


def _towards(mean: Array, leaf: Array | None, count: Scalar) -> Array:
    """Return the mean of ``count`` gradients from that of all but the last; ``None`` is zero."""
    return mean + ((0 if leaf is None else leaf) - mean) / count.astype(mean.real.dtype)


def _like(mean: Array, leaf: Array | None) -> Array:
    return mean if leaf is None else mean.astype(leaf.dtype)
