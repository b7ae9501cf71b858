"""The gradients of all losses, in either of the two ways in which they reach a transformation."""

from typing import Any, NamedTuple

from bloop_jax.trees import beside
from bloop_ref.aliases import Vector

MISSING: Any = object()
"""No argument, where ``None`` is one."""


class Gradients(NamedTuple):
    """The gradients of all losses in one value, given as ``updates``.

    ``update(Gradients(g_main, g_aux), state, params)`` does what ``update(g_main, state, params,
    aux_grads=g_aux)`` does, also for who passes no extra arguments on, such as Flax's
    ``TrainState``. What stands before the surgery in a chain then changes all gradients alike, or
    fails where it expects vectors like the parameters; of an extra argument it sees nothing.

    Attributes:
        main: the main gradient.
        aux: the auxiliary gradient, or a sequence of one for each auxiliary loss where there are
            several; ``None`` for a step without.

    Example:
        >>> import jax.numpy as jnp
        >>> import optax
        >>> from bloop_jax import bloop
        >>> optimiser = optax.chain(bloop(lam=0.5, rho=0.5), optax.sgd(1.0))
        >>> params = jnp.zeros(2)
        >>> both = Gradients(jnp.array([3.0, 4.0]), jnp.array([-5.0, 0.0]))
        >>> updates, _ = optimiser.update(both, optimiser.init(params), params)
        >>> updates
        Array([-0.5, -4. ], dtype=float32)
    """

    main: Vector
    aux: Any


def separated(updates: Any, aux_grads: Any, losses: int) -> tuple[Vector, ...]:
    """Return the main gradient and one for each auxiliary loss, all of one structure.

    Raises:
        TypeError: there is no auxiliary gradient, there are two, or no sequence of several.
        ValueError: there are not as many as auxiliary losses.
    """
    if isinstance(updates, Gradients):
        if aux_grads is not MISSING:
            raise TypeError(
                "update takes auxiliary gradients once: give aux_grads= or Gradients(main, aux); "
                "both were given"
            )
        updates, aux_grads = updates
    if aux_grads is MISSING and losses > 1:
        raise TypeError(
            "update needs aux_grads=, the gradient of every auxiliary loss, or Gradients(main, aux)"
            " in the place of updates; for a step without an auxiliary loss give aux_grads=None"
        )
    others = _each(None if aux_grads is MISSING else aux_grads, losses - 1)
    return updates, *(beside(updates, other) for other in others)


def _each(aux_grads: Any, count: int) -> tuple[Vector, ...]:
    """Return one gradient for each auxiliary loss; ``None`` is zero for all of them."""
    if aux_grads is None:
        return (None,) * count
    if count == 1:
        return (aux_grads,)
    if not isinstance(aux_grads, list | tuple):
        raise TypeError(
            f"aux_grads must be a sequence of {count} gradients; found {type(aux_grads).__name__}"
        )
    if len(aux_grads) != count:
        raise ValueError(
            "aux_grads must have one gradient per auxiliary loss: "
            f"required {count}, found {len(aux_grads)}"
        )
    return tuple(aux_grads)
