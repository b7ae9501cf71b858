"""Bloop as an optax gradient transformation: the direction in, any optimiser behind it."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from bloop_jax.core import Options, advance
from bloop_jax.linear import AxisName
from bloop_jax.trees import aligned, flatten
from bloop_ref import Bloop, BloopState
from bloop_ref._scalars import as_scalar, at_step, known_false
from bloop_ref._typing import Schedule, Vector


def bloop(
    lam: Schedule,
    rho: Schedule,
    *,
    project_on: Literal["previous", "updated"] = "previous",
    init: Literal["zeros", "first"] = "zeros",
    rescale: bool = False,
    nonfinite: Literal["skip", "raise", "propagate"] = "skip",
    ema_dtype: Any = None,
    axis_name: AxisName = None,
) -> optax.GradientTransformationExtraArgs:
    """Return Bloop (Algorithm 1) as a gradient transformation that chains with any of optax's.

    ``update(g_main, state, params, *, aux_grads)`` returns the direction
    d = g_main + lam pi(aux_grads; e) in place of the main gradient, and the next state. The state
    is a ``bloop_ref.BloopState``: one vector e and two counters. Non-finite gradients are handled
    here, because ``optax.apply_if_finite`` does not look at ``aux_grads``; micro-batches are summed
    by ``bloop_jax.accumulate``, because ``optax.MultiSteps`` passes on only the last ``aux_grads``.

    Args:
        lam: the weight of the auxiliary loss, >= 0: a number, a scalar array, or an optax schedule,
            a function of the number of steps taken.
        rho: the weight of the new gradient in the average, in [0, 1], likewise.
        project_on: as in ``bloop_ref.Bloop``, and so are the next four.
        init: the first e: ``"zeros"`` or ``"first"``, the first finite main gradient.
        rescale: multiply the direction by 1 / (1 + lam).
        nonfinite: what a main gradient with NaN or infinity does: ``"skip"`` keeps e and counts the
            step without waiting for the device, ``"propagate"`` is the bare equation, ``"raise"``
            raises outside ``jit`` and skips inside.
        ema_dtype: the dtype of e, float32 or float64; by default each leaf's own, at least float32.
        axis_name: inside ``shard_map``, the mesh axes over which leaves are spread. Where gradients
            are the same on every device, averaged beforehand, leave it out.

    Raises:
        ValueError: an option is none of its choices; in ``update``, structures or shapes differ.
        TypeError: in ``update``, ``aux_grads`` is missing, or a leaf is no floating JAX array.
        FloatingPointError: with ``nonfinite="raise"``, the main gradient is not finite.

    Example:
        >>> optimiser = optax.chain(bloop(lam=0.5, rho=0.5), optax.sgd(1.0))
        >>> params = {"w": jnp.zeros(2)}
        >>> state = optimiser.init(params)
        >>> g_main, g_aux = {"w": jnp.array([3.0, 4.0])}, {"w": jnp.array([-5.0, 0.0])}
        >>> updates, state = optimiser.update(g_main, state, params, aux_grads=g_aux)
        >>> updates["w"], state[0].ema["w"]
        (Array([-0.5, -4. ], dtype=float32), Array([1.5, 2. ], dtype=float32))

    Source: Algorithm 1 and eq. 5.
    """
    reference = Bloop(
        lam,
        rho,
        project_on=project_on,
        init=init,
        rescale=rescale,
        nonfinite=nonfinite,
        ema_dtype=ema_dtype,
    )
    options = Options(project_on, init, nonfinite, rescale, axis_name)

    def start(params: Vector) -> BloopState:
        leaves, structure = flatten(params)
        state = reference.init(leaves)
        return state._replace(ema=jax.tree.unflatten(structure, state.ema))

    def update(
        updates: Vector,
        state: BloopState,
        params: Vector = None,
        *,
        aux_grads: Vector = None,
        **_: Any,
    ) -> tuple[Vector, BloopState]:
        if aux_grads is None:
            raise TypeError("update needs aux_grads=, the gradient of the auxiliary loss")
        columns, rebuild = aligned(updates=updates, aux_grads=aux_grads, ema=state.ema)
        direction, ema, finite = advance(
            *columns.leaves,
            as_scalar("lam", at_step(lam, state.count), columns),
            as_scalar("rho", at_step(rho, state.count), columns, most=1),
            fresh=state.count == state.skipped,
            options=options,
        )
        if nonfinite == "raise" and known_false(lambda: finite):
            raise FloatingPointError("updates must be finite; found NaN or infinity in them")
        skipped = state.skipped + (1 - finite.astype(jnp.int32))
        return rebuild(direction), BloopState(rebuild(ema), state.count + 1, skipped)

    return optax.GradientTransformationExtraArgs(start, update)
