"""Gradients as lists of leaves: any pytree that JAX knows, Flax's and Equinox's among them."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import jax
from optax import MaskedNode

from bloop_ref.aliases import Vector
from bloop_ref.vectors import Stack


def flatten(vector: Vector) -> tuple[list[Any], Any]:
    """Return the leaves of a pytree, ``None`` being one, and its structure."""
    return jax.tree.flatten(vector, is_leaf=lambda x: x is None)


def beside(model: Vector, vector: Vector) -> Vector:
    """Return a vector without what another one lacks; ``None`` is zero.

    ``optax.masked`` and ``optax.partition`` hide parts of the gradients from what is within them,
    but not of extra arguments. A vector that does not fit is returned as it is.
    """
    structure: Any  # whose methods are not annotated
    if vector is None:
        leaves, structure = flatten(model)
        return jax.tree.unflatten(structure, [None] * len(leaves))
    parts, structure = jax.tree.flatten(model, is_leaf=lambda x: x is None or _hidden(x))
    if not any(map(_hidden, parts)):
        return vector
    try:
        found = structure.flatten_up_to(vector)
    except ValueError:  # which is said where vectors are aligned
        return vector
    return structure.unflatten(
        [part if _hidden(part) else x for part, x in zip(parts, found, strict=True)]
    )


def _hidden(part: Any) -> bool:
    return isinstance(part, MaskedNode)


def aligned(
    align: Callable[..., Stack], **vectors: Vector
) -> tuple[Stack, Callable[[Any], Vector]]:
    """Check that the named vectors can be combined; return their stack, and how to rebuild a tree.

    Args:
        align: checks lists of leaves, given by name.
        **vectors: pytrees.

    Raises:
        TypeError: the leaves are those of another library, or as ``align`` does.
        ValueError: structures differ, or as ``align`` does.
    """
    flat = {name: flatten(vector) for name, vector in vectors.items()}
    first, (_, structure) = next(iter(flat.items()))
    for name, (_, found) in flat.items():
        if found != structure:
            raise ValueError(
                f"{name} must have the tree structure of {first}: "
                f"required {structure}, found {found}"
            )
    with leaves_by_path(**vectors):
        stack = align(**{name: leaves for name, (leaves, _) in flat.items()})
    if stack.xp is not jax.numpy and any(x is not None for leaves in stack.leaves for x in leaves):
        raise TypeError(f"{first} must hold JAX arrays; found arrays of {stack.xp.__name__}")
    return replace(stack, xp=jax.numpy), lambda leaves: jax.tree.unflatten(structure, leaves)


@contextmanager
def leaves_by_path(**vectors: Vector) -> Iterator[None]:
    """Let errors about the leaves of vectors, given by name, call them as the user does."""

    def named(found: re.Match[str]) -> str:
        name, position = found.groups()
        paths, _ = jax.tree.flatten_with_path(vectors[name], is_leaf=lambda x: x is None)
        return name + jax.tree_util.keystr(paths[int(position)][0])

    try:
        yield
    except (TypeError, ValueError) as error:
        names = "|".join(map(re.escape, vectors))
        message = re.sub(rf"\b({names})\[(\d+)\]", named, str(error))
        raise type(error)(message) from None
