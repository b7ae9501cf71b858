"""A method applied leaf by leaf, as some implementations group their gradients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bloop_ref.aliases import Leaves, Scalar, Vector
from bloop_ref.arrays import quiet
from bloop_ref.driver import State
from bloop_ref.gram_method import GramMethod
from bloop_ref.method import Method
from bloop_ref.vectors import Stack, align


@dataclass(frozen=True)
class PerLeaf(Method):
    """A Gram method applied to every leaf by itself, with a state for every leaf.

    The groups of MetaBalance's implementation are tensors; GradVac's may be. An inner product then
    runs over one leaf only, and so there is no one matrix. All leaves draw the same orders. A leaf
    that is ``None`` in all gradients leaves its state alone. The state is one ``State`` per leaf.

    Args:
        method: the method.

    Example:
        >>> import numpy as np
        >>> from bloop_ref.surgery import AGem
        >>> g = [[np.array([3.0]), np.array([4.0])], [np.array([-2.0]), np.array([8.0])]]
        >>> PerLeaf(AGem())(*g)
        [array([0.]), array([4.])]

    Source: the implementation of MetaBalance; see ``MetaBalance``.
    """

    method: GramMethod

    def __post_init__(self) -> None:
        """Check the method."""
        if self.nonfinite != "skip":
            raise ValueError(
                f"nonfinite must be given to the method that is applied; found {self.nonfinite!r}"
            )
        if not isinstance(self.method, GramMethod):
            raise TypeError(f"method must be a GramMethod; found {type(self.method).__name__}")
        if self.method.every != 1:  # a leaf without a gradient takes no step, and would lose count
            raise ValueError(f"method must have every=1; found every={self.method.every}")

    def check_losses(self, name: str, losses: int) -> None:
        """Raise ``ValueError`` unless the method takes so many losses."""
        self.method.check_losses(name, losses)

    @quiet
    def init(self, like: Vector, losses: int = 2) -> Any:
        """Return the states before the first step, for gradients like the given vector."""
        (leaves,) = align(like=like).leaves
        # where there is no leaf, another says of which library and device the scalars are
        other = next((leaf for leaf in leaves if leaf is not None), None)
        return tuple(
            self._without_memory(other, losses) if leaf is None else self.method.init(leaf, losses)
            for leaf in leaves
        )

    def _without_memory(self, other: Vector, losses: int) -> State:
        state = self.method.init(other, losses)
        return state._replace(memory=(None,) * len(state.memory))

    def step(self, gradients: Sequence[Vector], state: Any, **given: Scalar) -> tuple[Vector, Any]:
        """Return the direction and the next states; see ``Method.step``."""
        stack, rows = self._leaf_by_leaf(gradients, state)
        taken = [
            (None, old) if all(x is None for x in row) else self.method.step(row, old, **given)
            for row, old in zip(rows, state, strict=True)
        ]
        return stack.unflatten(tuple(d for d, _ in taken)), tuple(new for _, new in taken)

    def read(self, gradients: Sequence[Vector], state: Any) -> Stack:
        """Return the vectors that the next step reads, all leaves together; see ``Method.read``.

        A leaf that no gradient has is not read. So ``diagnostics`` are those of the long vectors,
        as of any method; those of leaf k are ``method.diagnostics`` of it and ``state[k]``.
        """
        stack, rows = self._leaf_by_leaf(gradients, state)
        size = len(gradients) + self.method.remembers(len(gradients))
        absent = ((None,),) * size
        read = [
            absent if all(x is None for x in row) else self.method.read(row, old).leaves
            for row, old in zip(rows, state, strict=True)
        ]
        vectors = [tuple(leaves[j][0] for leaves in read) for j in range(size)]
        return align(**{f"vectors[{j}]": stack.unflatten(x) for j, x in enumerate(vectors)})

    def direct(self, stack: Stack, scalars: Any, **given: Scalar) -> Any:
        """Refuse: there is no direction of all leaves together."""
        raise NotImplementedError("PerLeaf has a direction for every leaf")

    def _leaf_by_leaf(self, gradients: Sequence[Vector], state: Any) -> tuple[Stack, list[Leaves]]:
        """Check the arguments; return the gradients' stack, and for each leaf those of all."""
        self.check_losses("gradients", len(gradients))
        stack = align(**{f"gradients[{k}]": vector for k, vector in enumerate(gradients)})
        rows = list(zip(*stack.leaves, strict=True))
        if type(state) is not tuple or len(state) != len(rows):
            found = len(state) if type(state) is tuple else type(state).__name__
            raise ValueError(
                f"state must have one entry per leaf: required {len(rows)}, found {found}"
            )
        return stack, rows
