"""What all methods have in common: the protocol, and the way from vectors to a row and back."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, ClassVar, Self

import optree

from bloop_ref._arrays import beside
from bloop_ref._columns import combination, inner, quiet
from bloop_ref._scalars import as_scalar, check_range, symmetric
from bloop_ref._typing import Leaves, Rows, Scalar, Vector
from bloop_ref._vectors import Columns, align

Pairs = tuple[tuple[int, int], ...]
"""Which inner products a method reads."""


class Method(ABC):
    """A way to make one direction of the gradients of several losses, the main one first.

    A method is an immutable value that carries its options. What it has to remember from step to
    step it returns: ``()`` if nothing, else an immutable tuple.

        state = method.init(gradient_of_any_loss, losses=2)
        direction, state = method.step([g_main, g_aux], state)

    A gradient is a pytree of arrays of one library, ``None`` for an exact zero; the direction has
    the dtypes of the first. NaN and infinity show in the direction, and poison the state of a
    method that has one. ``step`` raises ``TypeError`` for a leaf that is no floating array, for
    mixed libraries and for a state of another method, and ``ValueError`` for structures, shapes
    and devices that differ, for a wrong number of gradients and for options out of range.
    """

    least_losses: ClassVar[int] = 1
    most_losses: ClassVar[int | None] = None
    state_type: ClassVar[type] = tuple

    @abstractmethod
    def init(self, like: Vector, losses: int = 2) -> Any:
        """Return the state before the first step, for gradients like the given vector."""

    @abstractmethod
    def step(self, gradients: Sequence[Vector], state: Any) -> tuple[Vector, Any]:
        """Return the direction and the next state, for [g_main, g_aux, ...]."""

    def _check_losses(self, name: str, losses: int) -> None:
        """Raise unless the method takes so many losses."""
        least, most = self.least_losses, self.most_losses
        if losses < least or (most is not None and losses > most):
            required = f"{least}" if most == least else f"at least {least}"
            raise ValueError(
                f"{name} must be as many as {type(self).__name__} takes: "
                f"required {required}, found {losses}"
            )

    def _losses_of(self, state: Any) -> int | None:
        """Return for how many losses a state was made, ``None`` for any number."""
        return None

    def _check_state(self, state: Any, losses: int) -> None:
        """Raise unless a state may have come from this method, for so many losses."""
        if type(state) is not self.state_type or (self.state_type is tuple and state):
            expected = "()" if self.state_type is tuple else f"a {self.state_type.__name__}"
            raise TypeError(
                f"state must be {expected}, as init and step of {type(self).__name__} return it; "
                f"found {type(state).__name__}"
            )
        required = self._losses_of(state)
        if required is not None and losses != required:
            raise ValueError(
                "gradients must be as many as the state was made for: "
                f"required {required}, found {losses}"
            )

    def _aligned(self, gradients: Sequence[Vector]) -> Columns:
        """Check the gradients of a step, and lay them side by side."""
        self._check_losses("gradients", len(gradients))
        return align(**{f"gradients[{k}]": gradient for k, gradient in enumerate(gradients)})


class GramMethod(Method):
    """A method that reads the gradients through inner products and returns a combination of them.

    Beside ``init`` and ``step`` it has them apart, on scalars only, for who brings inner products
    and combinations of their own:

        pairs = method.pairs(losses)                 # the (i, j) of <g_i, g_j> that are read
        row, state = method.coefficients(gram, units, state)

    ``gram[i][j]`` is <g_i / units[i], g_j / units[j]>, in either order, a unit being a power of
    two near the largest entry of its gradient, so that no scale overflows, or 1. The direction is
    sum_i row[i] (g_i / units[i]). Scalars may be Python numbers, fractions, symbols, or arrays
    without dimensions of any library, also traced and lazy ones.
    """

    numbers: ClassVar[tuple[str, ...]] = ()
    """The options that are real numbers or tuples of them."""

    @abstractmethod
    def pairs(self, losses: int) -> Pairs:
        """Return the inner products that are read."""

    @abstractmethod
    def coefficients(
        self, gram: Rows, units: Sequence[Scalar], state: Any
    ) -> tuple[tuple[Scalar, ...], Any]:
        """Return the coefficients over the gradients over their units, and the next state."""

    def start(self, losses: int, columns: Columns) -> Any:
        """Return the state before the first step, for gradients like some columns."""
        return ()

    @quiet
    def init(self, like: Vector, losses: int = 2) -> Any:
        """Return the state before the first step, for gradients like the given vector."""
        self._check_losses("losses", losses)
        return self.start(losses, align(like=like))

    @quiet
    def step(self, gradients: Sequence[Vector], state: Any, **given: Scalar) -> tuple[Vector, Any]:
        """Return the direction and the next state.

        Args:
            gradients: [g_main, g_aux, ...], pytrees of arrays; ``None`` is zero.
            state: what ``init`` or the previous ``step`` returned.
            **given: the scalars that ``coefficients`` of this method takes beside the state.
        """
        columns = self._aligned(gradients)
        self._check_state(state, len(gradients))
        leaves, state = self.advance(columns, state, **given)
        return columns.unflatten(leaves), state

    def once(self, columns: Columns, **given: Scalar) -> Vector:
        """Return the direction of a first step, for gradients that have been aligned."""
        self._check_losses("gradients", len(columns.leaves))
        leaves, _ = self.advance(columns, self.start(len(columns.leaves), columns), **given)
        return columns.unflatten(leaves)

    def advance(self, columns: Columns, state: Any, **given: Scalar) -> tuple[Leaves, Any]:
        """Return the leaves of the direction and the next state, for aligned gradients."""
        gram, units = measured(columns, self.pairs(len(columns.leaves)))
        numbers = {name: number(value, columns) for name, value in given.items()}
        row, state = self._beside(columns).coefficients(gram, units, state, **numbers)
        return combination(columns, row, units=(1,) * len(row)), settled(state, columns)

    def _beside(self, columns: Columns) -> Self:
        """Return this method with its numbers in the arithmetic of the vectors."""
        options = {name: getattr(self, name) for name in self.numbers}
        return replace(  # type: ignore[type-var]  # every method is a dataclass
            self,
            **{
                name: tuple(as_number(f"{name}[{k}]", x, columns) for k, x in enumerate(value))
                if isinstance(value, tuple)
                else as_number(name, value, columns)
                for name, value in options.items()
                if value is not None
            },
        )


def measured(columns: Columns, pairs: Pairs) -> tuple[Rows, list[Scalar]]:
    """Return inner products of columns over their units, and the units, all on one device."""
    first = next((x for column in columns.leaves for x in column if x is not None), None)

    def near(x: Scalar) -> Scalar:
        return x if first is None else beside(x, first, columns.xp)

    entries = (((i, j), near(inner(columns, i, j))) for i, j in pairs)
    gram = symmetric(len(columns.leaves), entries)
    return gram, [near(unit) for unit in columns.units]


def settled(state: Any, columns: Columns) -> Any:
    """Return a state of arrays: arithmetic on zero-dimensional NumPy arrays returns scalars."""
    return state if columns.wide is None else optree.tree_map(columns.xp.asarray, state)


def all_pairs(losses: int) -> Pairs:
    """Return every entry of the upper triangle."""
    return tuple((i, j) for j in range(losses) for i in range(j + 1))


def diagonal(losses: int) -> Pairs:
    """Return the squared norms."""
    return tuple((k, k) for k in range(losses))


def named(g_main: Vector, g_aux: Sequence[Vector], lam: Any = 1) -> Columns:
    """Check the gradients of a function's signature, and lay them side by side.

    For a single auxiliary gradient its weight has to be a number, and not a sequence of one.
    """
    if len(g_aux) == 1:
        check_range("lam", lam)
        return align(g_main=g_main, g_aux=g_aux[0])
    return align(g_main=g_main, **{f"g_aux[{k}]": vector for k, vector in enumerate(g_aux)})


def numbered(gradients: Sequence[Vector]) -> Columns:
    """Check gradients that are alike, and lay them side by side."""
    return align(**{f"gradients[{k}]": vector for k, vector in enumerate(gradients)})


def number(value: Scalar, columns: Columns) -> Scalar:
    """Bring a scalar into the arithmetic of the vectors; an integer beside fractions is one."""
    if columns.wide is None:
        return Fraction(value) if isinstance(value, int) else value
    return columns.scalar(value)


def as_number(name: str, value: Scalar, columns: Columns) -> Scalar:
    """Check an option again, and bring it into the arithmetic of the vectors likewise."""
    scalar = as_scalar(name, value, columns)
    return Fraction(scalar) if isinstance(scalar, int) else scalar


def check_weights(method: Any, name: str) -> None:
    """Check an option that is one number >= 0 or several, and keep several as a tuple."""
    value = getattr(method, name)
    if isinstance(value, list | tuple):
        object.__setattr__(method, name, tuple(value))
        for k, entry in enumerate(value):
            check_range(f"{name}[{k}]", entry)
    else:
        check_range(name, value)


def weights(name: str, value: Scalar | tuple[Scalar, ...], losses: int) -> tuple[Scalar, ...]:
    """Return one weight for each auxiliary loss."""
    if not isinstance(value, tuple):
        return (value,) * (losses - 1)
    if len(value) != losses - 1:
        raise ValueError(
            f"{name} must be one number or one per auxiliary loss: "
            f"required {losses - 1}, found {len(value)}"
        )
    return value
