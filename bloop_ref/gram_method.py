"""Methods that inner products and weights say: almost all of them."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from bloop_ref import linear
from bloop_ref.aliases import Leaves, Rows, Scalar
from bloop_ref.gramian import Gramian, Pairs, all_pairs
from bloop_ref.method import Method
from bloop_ref.scalars import is_nothing
from bloop_ref.vectors import Stack


class GramMethod(Method):
    """A method that reads its vectors through inner products and returns a combination of them.

    Beside ``init`` and ``step`` it has its matrix apart, on scalars alone, for who brings inner
    products and combinations of their own:

        pairs = method.pairs(losses)                     # the places (i, j) that are read
        matrix, scalars = method.matrix(gram, scalars)   # the direction, then each new memory

    The scalars may be Python numbers, fractions, symbols, or zero-dimensional arrays of any
    library, also traced and lazy ones. How many vectors it remembers does not depend on the number
    of losses that it is asked for.
    """

    rescale = False

    def reads_values(self, losses: int) -> bool:
        """Whether ``weights`` needs the numbers themselves, and takes no traced or lazy ones."""
        return False

    def pairs(self, losses: int) -> Pairs:
        """Return the inner products that are read, by default all: gradients, then memory."""
        return all_pairs(losses + self.remembers(losses))

    @abstractmethod
    def weights(self, gram: Gramian, scalars: Any, **given: Scalar) -> tuple[Sequence[Scalar], Any]:
        """Return the direction over the stack, and the next scalars."""

    def matrix(self, gram: Gramian, scalars: Any = (), **given: Scalar) -> tuple[Rows, Any]:
        """Return the rows of a step, the direction first, and the next scalars.

        Example:
            >>> from bloop_ref import Bloop
            >>> gram = Gramian({(1, 2): -15.0, (2, 2): 25.0}, size=3)
            >>> Bloop(lam=0.5, rho=0.25).matrix(gram)[0]
            ((1, 0.5, 0.3), (0.25, 0, 0.75))
        """
        losses = gram.size - self.remembers(gram.size)
        row, scalars = self.weights(gram, scalars, **given)
        if self.rescale:
            total = 1 + sum(self.auxiliary_weights(losses))
            row = [weight if is_nothing(weight) else weight / total for weight in row]
        return (tuple(row), *self.memory(losses)), scalars

    def auxiliary_weights(self, losses: int) -> tuple[Scalar, ...]:
        """Return the weights of the auxiliary losses: ``lam``, one number or one for each."""
        value: Any = getattr(self, "lam", 1)
        if not isinstance(value, tuple):
            return (value,) * (losses - 1)
        if len(value) != losses - 1:
            raise ValueError(
                "lam must be one number or one per auxiliary loss: "
                f"required {losses - 1}, found {len(value)}"
            )
        return value

    def direct(self, stack: Stack, scalars: Any, **given: Scalar) -> tuple[Leaves, Any]:
        """Return the direction of gradients and memory, and the next scalars."""
        size = len(stack.leaves)
        gram = linear.gramian(stack, self.pairs(size - self.remembers(size)))
        (row, *_), scalars = self.matrix(gram, scalars, **given)
        return linear.combination(stack, row), scalars
