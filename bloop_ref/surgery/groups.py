"""Methods made of others: leaf by leaf, and the hierarchy in the common protocol."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bloop_ref._columns import quiet
from bloop_ref._typing import Leaves, Vector
from bloop_ref._vectors import Columns, align
from bloop_ref.hierarchy import HierarchicalBloop, HierarchicalBloopState
from bloop_ref.surgery._method import GramMethod, Method


@dataclass(frozen=True)
class PerLeaf(Method):
    """A Gram method applied to every leaf by itself, with a state for every leaf.

    The groups of MetaBalance's implementation are tensors; GradVac's may be. An inner product then
    runs over one leaf only, and so there is ``step`` and no ``coefficients``. All leaves draw the
    same orders. A leaf that is ``None`` in all gradients leaves its state alone.

    Args:
        method: the method.

    Example:
        >>> import numpy as np
        >>> from bloop_ref.surgery import AGem
        >>> g = [[np.array([3.0]), np.array([4.0])], [np.array([-2.0]), np.array([8.0])]]
        >>> method = PerLeaf(AGem())
        >>> method.step(g, method.init(g[0]))[0]
        [array([0.]), array([4.])]

    Source: the implementation of MetaBalance; see ``MetaBalance``.
    """

    method: GramMethod

    def __post_init__(self) -> None:
        """Check the method."""
        if not isinstance(self.method, GramMethod):
            raise TypeError(f"method must be a GramMethod; found {type(self.method).__name__}")

    @quiet
    def init(self, like: Vector, losses: int = 2) -> tuple[Any, ...]:
        """Return the states before the first step, for gradients like the given vector."""
        self.method._check_losses("losses", losses)
        columns = align(like=like)
        return tuple(self.method.start(losses, leaf) for leaf in _leafwise(columns))

    @quiet
    def step(
        self, gradients: Sequence[Vector], state: tuple[Any, ...]
    ) -> tuple[Vector, tuple[Any, ...]]:
        """Return the direction and the next states.

        Args:
            gradients: [g_main, g_aux, ...], pytrees of arrays; ``None`` is zero.
            state: what ``init`` or the previous ``step`` returned.
        """
        columns = self.method._aligned(gradients)
        leaves = _leafwise(columns)
        if type(state) is not tuple or len(state) != len(leaves):
            found = len(state) if type(state) is tuple else type(state).__name__
            raise ValueError(
                f"state must have one entry per leaf: required {len(leaves)}, found {found}"
            )
        direction: list[Leaves] = []
        states = []
        for leaf, old in zip(leaves, state, strict=True):
            self.method._check_state(old, len(gradients))
            present = any(x is not None for (x,) in leaf.leaves)
            part, new = self.method.advance(leaf, old) if present else ((None,), old)
            direction.append(part)
            states.append(new)
        return columns.unflatten(tuple(x for (x,) in direction)), tuple(states)


def _leafwise(columns: Columns) -> list[Columns]:
    """Return for every leaf the columns of this leaf alone."""
    return [columns.of(*((x,) for x in row)) for row in zip(*columns.leaves, strict=True)]


@dataclass(frozen=True)
class Hierarchy(Method):
    """Hierarchical Bloop as one of the methods: ``HierarchicalBloop`` under the common protocol.

    The method is that of its argument, state included; ``init`` takes the number of losses too.

    Args:
        bloop: with L weights, for L + 1 losses.

    Example:
        >>> import numpy as np
        >>> from bloop_ref import HierarchicalBloop
        >>> method = Hierarchy(HierarchicalBloop([0.5], rho=1, project_on="updated"))
        >>> g = [np.array([3.0, 4.0]), np.array([-5.0, 0.0])]
        >>> method.step(g, method.init(g[0], losses=2))[0]
        array([1.4, 5.2])

    Source: section 2.3 and eq. 6 of the Bloop paper.
    """

    bloop: HierarchicalBloop

    def __post_init__(self) -> None:
        """Check the method."""
        if not isinstance(self.bloop, HierarchicalBloop):
            raise TypeError(f"bloop must be a HierarchicalBloop; found {type(self.bloop).__name__}")

    def init(self, like: Vector, losses: int = 2) -> HierarchicalBloopState:
        """Return the state before the first step, for gradients like the given vector."""
        required = len(self.bloop.lams) + 1
        if losses != required:
            raise ValueError(
                f"losses must be one more than the weights of bloop: "
                f"required {required}, found {losses}"
            )
        return self.bloop.init(like)

    def step(
        self, gradients: Sequence[Vector], state: HierarchicalBloopState
    ) -> tuple[Vector, HierarchicalBloopState]:
        """Return the direction and the next state: see ``HierarchicalBloop.step``."""
        return self.bloop.step(gradients, state)
