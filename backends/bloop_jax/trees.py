"""Gradients as lists of leaves: any pytree that JAX knows, Flax's and Equinox's among them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax

from bloop_ref.aliases import Vector
from bloop_ref.vectors import Stack


def flatten(vector: Vector) -> tuple[list[Any], Any]:
    """Return the leaves of a pytree, ``None`` being one, and its structure."""
    return jax.tree.flatten(vector, is_leaf=lambda x: x is None)


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
    stack = align(**{name: leaves for name, (leaves, _) in flat.items()})
    if stack.xp is not jax.numpy and any(x is not None for leaves in stack.leaves for x in leaves):
        raise TypeError(f"{first} must hold JAX arrays; found arrays of {stack.xp.__name__}")
    return replace(stack, xp=jax.numpy), lambda leaves: jax.tree.unflatten(structure, leaves)
