"""One step of Algorithm 1, pure, or with its buffers donated."""

from typing import Any

import jax
import jax.numpy as jnp

from bloop_jax.core import engine_of
from bloop_jax.linear import AxisName, Leaves, float64
from bloop_jax.trees import aligned
from bloop_ref import Bloop, State
from bloop_ref.aliases import Scalar, Vector
from bloop_ref.driver import advance
from bloop_ref.scalars import as_scalar
from bloop_ref.vectors import align


def step(
    g_main: Vector,
    g_aux: Vector,
    ema: Vector,
    *,
    lam: Scalar,
    rho: Scalar,
    axis_name: AxisName = None,
    donate: bool = False,
) -> tuple[Vector, Vector]:
    """Return Bloop's direction and the next moving average of main gradients.

    d = g_main + lam pi(g_aux; e) and e <- (1 - rho) e + rho g_main, all leaves together. Entries
    are computed in float32, or in float64 if a leaf has it.

    Args:
        g_main: the main gradient, a pytree of JAX arrays; ``None`` is zero.
        g_aux: the auxiliary gradient, of the same structure and shapes.
        ema: the moving average of main gradients before this step, likewise.
        lam: the weight of the auxiliary loss, >= 0.
        rho: the weight of the new gradient in the average, in [0, 1].
        axis_name: inside ``shard_map``, the mesh axes over which leaves are spread: the two inner
            products are summed over them, and nothing else is communicated.
        donate: let the direction take the buffers of ``g_aux`` and the new average those of
            ``ema``, which are gone afterwards. Inside another ``jit``, donate to that instead.

    Returns:
        The direction, with the dtypes of ``g_main``, and the new average, with those of ``ema``.
        Float64 entries of g_aux and ema may lie a factor of 1e140 apart; beyond, the direction is
        NaN.

    Raises:
        TypeError: a leaf is no floating JAX array.
        ValueError: structures or shapes differ, or lam or rho is out of range; a leaf that is to be
            donated is also another one.

    Example:
        >>> import jax.numpy as jnp
        >>> g_main, g_aux, ema = jnp.array([3.0, 4.0]), jnp.array([-5.0, 0.0]), jnp.ones(2)
        >>> direction, ema = step(g_main, g_aux, ema, lam=0.5, rho=0.25)
        >>> direction, ema
        (Array([1.75, 5.25], dtype=float32), Array([1.5 , 1.75], dtype=float32))

    Source: Algorithm 1 and eq. 5.
    """
    run = _donating if donate else _plain
    with float64():
        stack, rebuild = aligned(align, g_main=g_main, g_aux=g_aux, ema=ema)
        numbers = as_scalar("lam", lam, stack), as_scalar("rho", rho, stack, most=1)
        if donate:
            _refuse_sharing(*stack.leaves)
        direction, new_ema = run(*stack.leaves, *numbers, axis_name)
    return rebuild(direction), rebuild(new_ema)


def _refuse_sharing(g_main: Leaves, *donated: Leaves) -> None:
    """Raise ``ValueError`` if an array that is given away is given more than once."""
    taken = [id(x) for leaves in donated for x in leaves if x is not None]
    if len({*taken} - {id(x) for x in g_main}) < len(taken):
        raise ValueError(
            "with donate, g_aux and ema must hold arrays of their own; "
            "found one that is in g_main or twice"
        )


def _step(
    g_main: Leaves, g_aux: Leaves, ema: Leaves, lam: Scalar, rho: Scalar, axis_name: AxisName
) -> tuple[Any, Any]:
    method = Bloop(lam, rho, nonfinite="propagate")
    stack, _ = aligned(align, g_main=g_main, g_aux=g_aux, ema=ema)
    zero = jnp.zeros((), jnp.int32)
    state = State((ema,), (), zero, zero)
    direction, after, _ = advance(method, stack, state, engine_of(method, axis_name))
    return direction, after.ema


_plain = jax.jit(_step, static_argnames="axis_name")
_donating = jax.jit(_step, static_argnames="axis_name", donate_argnames=("g_aux", "ema"))
