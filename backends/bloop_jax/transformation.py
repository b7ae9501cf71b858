"""Any method as an optax gradient transformation: the direction in, any optimiser behind it."""

from inspect import Parameter, signature
from typing import Any, Literal

import jax
import optax

from bloop_jax.core import take
from bloop_jax.gradients import MISSING, Gradients, separated
from bloop_jax.linear import AxisName
from bloop_jax.trees import flatten, leaves_by_path
from bloop_ref import Bloop, State
from bloop_ref.aliases import Schedule, Vector
from bloop_ref.surgery import GramMethod, Method, PerLeaf


def surgery(
    method: Method, *, losses: int = 2, axis_name: AxisName = None
) -> optax.GradientTransformationExtraArgs:
    """Return a method as a gradient transformation that chains with any of optax's.

    ``update(Gradients(g_main, g_aux), state, params)``, or ``update(g_main, state, params,
    aux_grads=g_aux)``, returns the method's direction in place of the main gradient, and the next
    ``bloop_ref.State``, whose vectors are trees like the parameters (for a ``PerLeaf``, one state
    for each leaf). Keywords that the method takes beside the gradients, such as ``main_loss``, are
    given to it; others, which are for the rest of a chain, are not looked at. For a step without an
    auxiliary loss g_aux is ``None``, an exact zero. Errors call the gradients ``gradients[0]``,
    the main one, ``gradients[1]``, ...

    It has to be the first of a chain, for it takes gradients: clipping, momentum and the rest work
    on its direction. A transformation before it would see the main gradient alone where the others
    come as ``aux_grads``, and no transformation can tell what has been done to its argument; of
    ``Gradients`` it sees all. Within ``optax.masked`` and ``optax.partition`` it looks at what
    these let it see, in all gradients. Micro-batches are for ``bloop_jax.accumulate``, because
    ``optax.MultiSteps`` averages the main gradients alone.

    Args:
        method: an object such as ``Bloop(0.3, 0.01)`` or ``PCGrad()``. Its numbers may be optax
            schedules.
        losses: how many losses there are. For two g_aux is the auxiliary gradient, for more a
            sequence of them. It is left out on the steps between of ``Bloop(every=m)``, where
            ``updates`` is the gradient of the weighted sum.
        axis_name: inside ``shard_map``, the mesh axes over which leaves are spread; not for
            ``PerLeaf``. Where gradients are the same on every device, averaged beforehand, leave it
            out.

    Raises:
        TypeError: ``method`` is no method, or none that takes ``axis_name``; in ``update``,
            auxiliary gradients are missing or were given twice, or a leaf is no floating JAX array.
        ValueError: the method does not take so many losses; in ``update``, structures or shapes
            differ.
        FloatingPointError: with ``nonfinite="raise"`` and outside ``jit``, a gradient is not
            finite.

    Example:
        >>> import jax.numpy as jnp
        >>> from bloop_ref.surgery import PCGrad
        >>> optimiser = optax.chain(surgery(PCGrad(lam=0.5)), optax.sgd(1.0))
        >>> params = {"w": jnp.zeros(2)}
        >>> state = optimiser.init(params)
        >>> g_main, g_aux = {"w": jnp.array([4.0, 4.0])}, {"w": jnp.array([-4.0, 0.0])}
        >>> updates, state = optimiser.update(g_main, state, params, aux_grads=g_aux)
        >>> updates["w"]
        Array([ 1., -5.], dtype=float32)

    Source: that of the method.
    """
    if not isinstance(method, Method):
        raise TypeError(f"method must be a bloop_ref.surgery.Method; found {method!r}")
    if axis_name is not None and isinstance(method, PerLeaf):
        raise TypeError("axis_name must be None for PerLeaf, which may not tell a leaf's parts")
    method.check_losses("losses", losses)
    accepted = _keywords(method)

    def start(params: Vector) -> Any:
        leaves, structure = flatten(params)
        with leaves_by_path(like=params):
            state = method.init(leaves, losses)
        if not isinstance(state, State):
            return state
        return state._replace(memory=tuple(jax.tree.unflatten(structure, x) for x in state.memory))

    def update(
        updates: Any, state: Any, params: Vector = None, *, aux_grads: Any = MISSING, **extra: Any
    ) -> tuple[Vector, Any]:
        gradients: tuple[Vector, ...] = (updates,)
        if method.every == 1 or aux_grads is not MISSING or isinstance(updates, Gradients):
            gradients = separated(updates, aux_grads, losses)
        given = {name: extra[name] for name in accepted if name in extra}
        return take(method, gradients, state, axis_name=axis_name, **given)

    return optax.GradientTransformationExtraArgs(start, update)


def _keywords(method: Method) -> list[str]:
    """Return the scalars that a method takes beside the gradients, by name."""
    inner = method.method if isinstance(method, PerLeaf) else method
    if not isinstance(inner, GramMethod):
        return []
    parameters = signature(inner.weights).parameters.values()
    return [x.name for x in parameters if x.kind is Parameter.KEYWORD_ONLY]


def bloop(
    lam: Schedule,
    rho: Schedule,
    *,
    project_on: Literal["previous", "updated"] = "previous",
    init: Literal["zeros", "first"] = "zeros",
    rescale: bool = False,
    nonfinite: Literal["skip", "raise", "propagate"] = "skip",
    ema_dtype: Any = None,
    every: int | None = None,
    kappa: Schedule | None = None,
    axis_name: AxisName = None,
) -> optax.GradientTransformationExtraArgs:
    """Return Bloop (Algorithm 1) as a gradient transformation: ``surgery(Bloop(lam, rho, ...))``.

    ``update(Gradients(g_main, g_aux), state, params)``, or ``update(g_main, state, params,
    aux_grads=g_aux)``, returns the direction d = g_main + lam pi(g_aux; e) in place of the main
    gradient, and the next state, in which ``state.ema`` is e <- (1 - rho) e + rho g_main. It has to
    be the first of a chain, see ``surgery``.

    Args:
        lam: the weight of the auxiliary loss, >= 0: a number, a scalar array, or an optax schedule,
            a function of the number of steps taken.
        rho: the weight of the new gradient in the average, in [0, 1], likewise.
        project_on: as in ``bloop_ref.Bloop``, and so are the next four.
        init: the first e.
        rescale: whether the direction is multiplied by 1 / (1 + lam).
        nonfinite: what a main gradient with NaN or infinity does.
        ema_dtype: the dtype of e.
        every: m, an extension of this project, see ``bloop_ref.every``: only every m-th step takes
            both gradients; ``None`` is 1, Bloop. The others are ``update(x, state, params)``
            without ``aux_grads``, x the gradient of L_main + lam L_aux; whoever calls ``update``
            counts. Outside ``jit`` a step that should have both raises ``ValueError``; inside it
            cannot be told.
        kappa: with ``every``, the weight of the new auxiliary gradient in the held one.
        axis_name: as in ``surgery``.

    Raises:
        ValueError: an option is none of its choices; in ``update``, as ``surgery``.

    Example:
        >>> import jax.numpy as jnp
        >>> optimiser = optax.chain(bloop(lam=0.5, rho=0.5), optax.sgd(1.0))
        >>> params = {"w": jnp.zeros(2)}
        >>> state = optimiser.init(params)
        >>> g_main, g_aux = {"w": jnp.array([3.0, 4.0])}, {"w": jnp.array([-5.0, 0.0])}
        >>> updates, state = optimiser.update(g_main, state, params, aux_grads=g_aux)
        >>> updates["w"], state[0].ema["w"]
        (Array([-0.5, -4. ], dtype=float32), Array([1.5, 2. ], dtype=float32))

    Source: Algorithm 1 and eq. 5.
    """
    method = Bloop(
        lam,
        rho,
        project_on=project_on,
        init=init,
        rescale=rescale,
        nonfinite=nonfinite,
        ema_dtype=ema_dtype,
        every=1 if every is None else every,  # no number, which inject_hyperparams would trace
        kappa=1 if kappa is None else kappa,
    )
    return surgery(method, axis_name=axis_name)
