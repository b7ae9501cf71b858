"""Any method of ``bloop_ref.surgery`` as an optax gradient transformation."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from bloop_jax.gram import gram_matrix
from bloop_jax.linear import AxisName, Leaves, all_finite, combine, first_dtypes
from bloop_jax.trees import aligned, flatten
from bloop_ref._scalars import check_choice, known_false
from bloop_ref._typing import Array, Scalar, Vector
from bloop_ref.surgery import GramMethod, Method


class SurgeryState(NamedTuple):
    """What a method carries from step to step, the steps taken, and those that were skipped."""

    inner: Any
    count: Array
    skipped: Array


def surgery(
    method: Method,
    *,
    losses: int = 2,
    nonfinite: Literal["skip", "raise", "propagate"] = "skip",
    axis_name: AxisName = None,
) -> optax.GradientTransformationExtraArgs:
    """Return a method of ``bloop_ref.surgery`` as a transformation that chains with any of optax's.

    ``update(g_main, state, params, *, aux_grads)`` returns the method's direction in place of the
    main gradient. A Gram method reads the gradients in one pass and combines them in another; any
    other runs as the reference does, on JAX arrays.

    Args:
        method: an object such as ``PCGrad()``.
        losses: how many losses there are. For two ``aux_grads`` is the auxiliary gradient, for more
            a sequence of them.
        nonfinite: what a gradient with NaN or infinity does to the method's state, if it has one:
            ``"skip"`` keeps the state and counts the step, ``"propagate"`` lets it in, ``"raise"``
            raises outside ``jit`` and skips inside. It always shows in the direction.
        axis_name: inside ``shard_map``, the mesh axes over which leaves are spread; for Gram
            methods only.

    Raises:
        TypeError: ``method`` is no method, or none that takes ``axis_name``; in ``update``,
            ``aux_grads`` is missing, or a leaf is no floating JAX array.
        ValueError: the method does not take so many losses; in ``update``, structures or shapes
            differ.
        FloatingPointError: with ``nonfinite="raise"``, a gradient is not finite.

    Example:
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
    if axis_name is not None and not isinstance(method, GramMethod):
        raise TypeError(
            f"axis_name needs a method made of inner products; {type(method).__name__} is none"
        )
    check_choice("nonfinite", nonfinite, ("skip", "raise", "propagate"))

    def start(params: Vector) -> SurgeryState:
        leaves, _ = flatten(params)
        zero = jnp.zeros((), jnp.int32)
        return SurgeryState(method.init(leaves, losses), zero, zero)

    def update(
        updates: Vector,
        state: SurgeryState,
        params: Vector = None,
        *,
        aux_grads: Any = None,
        given: Mapping[str, Scalar] | None = None,
        **_: Any,
    ) -> tuple[Vector, SurgeryState]:
        """Take a step; ``given`` holds scalars that the method takes beside the gradients."""
        if aux_grads is None:
            raise TypeError("update needs aux_grads=, the gradient of every auxiliary loss")
        others = (aux_grads,) if losses == 2 else tuple(aux_grads)
        if len(others) != losses - 1:
            raise ValueError(
                "aux_grads must have one gradient per auxiliary loss: "
                f"required {losses - 1}, found {len(others)}"
            )
        columns, rebuild = aligned(
            updates=updates, **{f"aux_grads[{k}]": vector for k, vector in enumerate(others)}
        )
        vectors = columns.leaves
        if isinstance(method, GramMethod):
            direction, inner = _gram_step(method, vectors, state.inner, given or {}, axis_name)
        else:
            lists = [list(leaves) for leaves in vectors]
            direction, inner = method.step(lists, state.inner, **(given or {}))
        finite: Scalar = jnp.asarray(True)
        if nonfinite != "propagate":
            finite = jnp.stack([all_finite(leaves, axis_name) for leaves in vectors]).all()
            if nonfinite == "raise" and known_false(lambda: finite):
                raise FloatingPointError("gradients must be finite; found NaN or infinity in them")
            inner = jax.tree.map(lambda x, y: jnp.where(finite, x, y), inner, state.inner)
        skipped = state.skipped + (1 - finite.astype(jnp.int32))
        return rebuild(direction), SurgeryState(inner, state.count + 1, skipped)

    return optax.GradientTransformationExtraArgs(start, update)


def _gram_step(
    method: GramMethod,
    vectors: Sequence[Leaves],
    state: Any,
    given: Mapping[str, Scalar],
    axis_name: AxisName,
) -> tuple[list[Array | None], Any]:
    """Return the direction and the next state of a method that reads inner products only."""
    pairs = method.pairs(len(vectors))
    gram, units = gram_matrix(vectors, pairs, axis_name)
    row, state = method.coefficients(gram, units, state, **given)
    scales = [(unit, jnp.ones_like(unit)) for unit in units]
    types = first_dtypes(vectors)
    (direction,) = combine((row,), vectors, dtypes=(types,), units=scales)
    return direction, state
