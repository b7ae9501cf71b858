"""One step of any method: ``bloop_ref``'s driver on this package's primitives."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bloop_jax.linear import AxisName, all_finite, combinations, float64, gramian
from bloop_jax.trees import aligned
from bloop_ref import Bloop, Diagnostics, Gramian, State
from bloop_ref.aliases import Rows, Scalar, Vector
from bloop_ref.driver import Engine, advance, as_read
from bloop_ref.gramian import all_pairs
from bloop_ref.surgery import GramMethod, Method, PerLeaf
from bloop_ref.vectors import Stack, align

Shape: Any = jax.ShapeDtypeStruct


def engine_of(method: Method, axis_name: AxisName) -> Engine:
    """Return the operations of a step.

    Bloop's quotient bears the errors of float32 sums; a Gramian that is inverted does not.
    """
    products = partial(gramian, axis_name=axis_name, narrow=isinstance(method, Bloop))
    return Engine(products, combinations, partial(all_finite, axis_name=axis_name))


def take(
    method: Method,
    gradients: Sequence[Vector],
    state: Any,
    *,
    axis_name: AxisName = None,
    **given: Scalar,
) -> tuple[Vector, Any]:
    """Return the direction and the next state, as ``Method.step`` does."""
    if isinstance(method, PerLeaf):
        method, leaves, rebuild = _per_leaf(method, gradients, step=partial(take, method.method))
        direction, state = method.step(leaves, state, **given)
        return rebuild(direction), state
    with float64():
        stack, rebuild = _stacked(method, gradients, state)
    method = _at(method, state)
    with float64():
        direction, after = _advanced(method, stack, state, engine_of(method, axis_name), given)
    return rebuild(direction), after._replace(memory=tuple(map(rebuild, after.memory)))


def _advanced(
    method: Method, stack: Stack, state: State, engine: Engine, given: dict[str, Scalar]
) -> tuple[Any, State]:
    losses = len(stack.leaves) - len(state.memory)
    if isinstance(method, GramMethod) and method.reads_values(losses):
        method = _replaced(method, matrix=_on_host(method))
    direction, after, _ = advance(method, stack, state, engine, **given)
    return direction, after


def diagnostics(
    method: Method, gradients: Sequence[Vector], state: Any, *, axis_name: AxisName = None
) -> Diagnostics:
    """Return norms and cosines of the vectors that the next step reads, also under ``jit``.

    Args:
        method: what takes the step.
        gradients: [g_main, g_aux, ...], as in ``update``.
        state: the method's, as in ``update``; in that of a chain, the entry of ``surgery``.
        axis_name: inside ``shard_map``, the mesh axes over which leaves are spread.

    Returns:
        A ``bloop_ref.Diagnostics`` of zero-dimensional arrays.

    Raises:
        TypeError, ValueError: as in ``update``.

    Example:
        >>> from bloop_ref import Bloop
        >>> bloop, g_main, g_aux = Bloop(0.5, 0.5), jnp.array([3.0, 4.0]), jnp.array([-5.0, 0.0])
        >>> found = diagnostics(bloop, [g_main, g_aux], bloop.init(g_main))
        >>> float(found.norm_main), round(float(found.cos_main_aux), 6)
        (5.0, -0.6)
    """
    dtype = jax.dtypes.canonicalize_dtype(np.float64)
    read = _read(method, gradients, state, axis_name=axis_name)
    with float64():
        gram = engine_of(method, axis_name).gramian(read, all_pairs(len(read.leaves)))
        found: Diagnostics = jax.tree.map(
            lambda x: jnp.asarray(x, dtype), method.described(gram, len(gradients))
        )
        return found


def _read(method: Method, gradients: Sequence[Vector], state: Any, *, axis_name: AxisName) -> Stack:
    """Return the vectors that the next step reads, as ``Method.read`` does."""
    if isinstance(method, PerLeaf):
        of_leaf = partial(_read, method.method, axis_name=axis_name)
        method, leaves, _ = _per_leaf(method, gradients, read=of_leaf)
        return method.read(leaves, state)
    with float64():
        stack, _ = _stacked(method, gradients, state)
    method = _at(method, state)
    with float64():
        return as_read(method, stack, state, engine_of(method, axis_name))


def _per_leaf(
    method: PerLeaf, gradients: Sequence[Vector], **functions: Any
) -> tuple[PerLeaf, list[Any], Callable[[Any], Vector]]:
    """Return a method that does otherwise with each leaf, the leaves, and how to rebuild a tree."""
    stack, rebuild = aligned(align, **_named(gradients))
    inner = _replaced(method.method, **functions)
    return replace(method, method=inner), list(map(list, stack.leaves)), rebuild


def _stacked(
    method: Method, gradients: Sequence[Vector], state: Any
) -> tuple[Stack, Callable[[Any], Vector]]:
    """Check the arguments of a step; return its stack, and how to rebuild a tree."""
    memory = getattr(state, "memory", ())
    of_memory = {f"state.memory[{k}]": vector for k, vector in enumerate(memory)}

    def checked(**leaves: Any) -> Stack:
        lists = list(leaves.values())
        own = state
        if isinstance(state, State):
            own = state._replace(memory=tuple(lists[len(gradients) :]))
        return method.aligned(lists[: len(gradients)], own)

    return aligned(checked, **_named(gradients), **of_memory)


def _named(gradients: Sequence[Vector]) -> dict[str, Vector]:
    return {f"gradients[{k}]": gradient for k, gradient in enumerate(gradients)}


def _at(method: Any, state: State) -> Any:
    """Return the method with its numbers at this step: a schedule is not traced in float64."""

    def same(name: str, value: Any, most: Any) -> Any:
        # an integer 0 would leave unread what a weight of 0 is to show
        return float(value) if type(value) is int else value

    return method.at(state.count, same)


def _replaced(method: Any, **attributes: Any) -> Any:
    """Return a copy of a method with other functions or numbers."""
    other = copy.copy(method)
    for name, value in attributes.items():
        object.__setattr__(other, name, value)
    return other


def _on_host(method: GramMethod) -> Callable[..., tuple[Rows, Any]]:
    """Return a method's matrix, computed on the host where the inner products are traced."""
    numbers = {name: getattr(method, name) for name in method.numbers}

    def matrix(gram: Gramian, scalars: Any = (), **given: Scalar) -> tuple[Rows, Any]:
        inputs = dict(gram.entries), gram.unit, numbers, scalars, given
        operands, structure = jax.tree.flatten(inputs)
        if not any(isinstance(x, jax.core.Tracer) for x in operands):
            return method.matrix(gram, scalars, **given)

        def host(words: Any) -> Any:
            values = np.asarray(words).view(np.float64).ravel().tolist()
            entries, unit, own, before, more = jax.tree.unflatten(structure, values)
            there = Gramian(entries, gram.size, unit=unit, spacing=gram.spacing)
            (row, *_), after = _replaced(method, **own).matrix(there, before, **more)
            return np.array([*row, *jax.tree.leaves(after)]).view(np.uint32).reshape(-1, 2)

        # a callback takes float64 only where the user has it; its bits pass anywhere
        wide = jnp.stack([jnp.asarray(x, jnp.float64) for x in operands])
        shape = Shape((gram.size + len(jax.tree.leaves(scalars)), 2), jnp.uint32)
        words = lax.bitcast_convert_type(wide, jnp.uint32)
        found = jax.pure_callback(host, shape, words, vmap_method="sequential")
        numbers_found = list(lax.bitcast_convert_type(found, jnp.float64))
        after = jax.tree.unflatten(jax.tree.structure(scalars), numbers_found[gram.size :])
        return (tuple(numbers_found[: gram.size]),), after

    return matrix
