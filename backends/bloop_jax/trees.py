"""Gradients as lists of leaves: any pytree that JAX knows, Flax's and Equinox's among them."""

from collections.abc import Callable
from typing import Any

import jax

from bloop_ref._typing import Vector
from bloop_ref._vectors import Columns, align


def flatten(vector: Vector) -> tuple[list[Any], Any]:
    """Return the leaves of a pytree, ``None`` being one, and its structure."""
    return jax.tree.flatten(vector, is_leaf=lambda x: x is None)


def aligned(**vectors: Vector) -> tuple[Columns, Callable[[Any], Vector]]:
    """Check that the named vectors can be combined; return their leaves and how to rebuild a tree.

    Raises as ``bloop_ref.bloop_direction`` does.
    """
    flat = {name: flatten(vector) for name, vector in vectors.items()}
    first, (_, structure) = next(iter(flat.items()))
    for name, (_, found) in flat.items():
        if found != structure:
            raise ValueError(
                f"{name} must have the tree structure of {first}: "
                f"required {structure}, found {found}"
            )
    columns = align(**{name: leaves for name, (leaves, _) in flat.items()})
    if columns.xp is not jax.numpy and any(leaf is not None for leaf in columns.leaves[0]):
        raise TypeError(f"{first} must hold JAX arrays; found arrays of {columns.xp.__name__}")
    return columns, lambda leaves: jax.tree.unflatten(structure, leaves)
