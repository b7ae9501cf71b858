"""The one shape of all methods.

    stack of vectors    --inner products-->    a Gramian
    Gramian, scalars    --the method-->        a matrix: the direction, then each remembered vector
    matrix and stack    --combine-->           the direction, the new memory

A method says which inner products it reads, how it weights its vectors, and how it averages those
that it remembers. The driver does the rest, once for all of them.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import optree

from bloop_ref.aliases import Leaves, Rows, Scalar, Vector
from bloop_ref.arrays import quiet
from bloop_ref.diagnostics import Diagnostics, measured, of_stack
from bloop_ref.driver import State, advance, as_read, zeros
from bloop_ref.gramian import Gramian
from bloop_ref.scalars import check_choice, check_count, check_schedule, is_nothing
from bloop_ref.vectors import Stack, align


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """A way to make one direction of the gradients of several losses, the main one first.

    A method is an immutable value that carries its options. What it has to remember from step to
    step it returns.

        state = method.init(gradient_of_any_loss, losses=2)
        direction, state = method.step([g_main, g_aux], state)
        direction = method(g_main, g_aux)           # that of a first step

    A gradient is a pytree of arrays of one library, ``None`` for an exact zero; the direction has
    the dtypes of the first gradient, and NaN and infinity show in it.

    Args:
        nonfinite: after a gradient with NaN or infinity that would enter what is remembered,
            ``"skip"`` keeps that and counts the step, ``"propagate"`` lets it in, ``"raise"``
            raises where values can be read, and skips where they cannot (under a tracer).
    """

    nonfinite: Literal["skip", "raise", "propagate"] = "skip"

    least_losses: ClassVar[int] = 1
    most_losses: ClassVar[int | None] = None
    numbers: ClassVar[Mapping[str, float | None]] = {}
    """The options that are numbers >= 0, or functions of the number of steps taken; and the most
    that each may be."""
    several: ClassVar[tuple[str, ...]] = ("lam",)
    """Those of them that may be a list: a number for every auxiliary loss."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Those of them that may be ``None``."""

    # what a method that averages vectors may be asked for
    project_on = "previous"
    first_average = "zeros"
    memory_dtype = None
    count = 0

    every = 1
    """How many steps there are to each that takes all gradients: more than one in ``Bloop``."""

    def __post_init__(self) -> None:
        """Check the options; several numbers are kept as a tuple."""
        check_choice("nonfinite", self.nonfinite, ("skip", "raise", "propagate"))
        for name, most in self.numbers.items():
            value = getattr(self, name)
            if name in self.several and isinstance(value, list | tuple):
                value = tuple(value)
                object.__setattr__(self, name, value)
                for k, x in enumerate(value):
                    check_schedule(f"{name}[{k}]", x, most=most)
            elif value is not None or name not in self.optional:
                check_schedule(name, value, most=most)

    def remembers(self, losses: int) -> int:
        """Return how many vectors are remembered."""
        return 0

    def memory(self, losses: int) -> Rows:
        """Return for each remembered vector its next value, over gradients and memory."""
        return ()

    def start(self, losses: int) -> Any:
        """Return what is remembered beside vectors before the first step, as exact numbers."""
        return ()

    def starts(self, losses: int) -> tuple[bool, ...]:
        """Return for each remembered vector whether the first that enters it is its start."""
        return (self.first_average == "first",) * self.remembers(losses)

    def full(self, count: Scalar) -> Scalar:
        """Return whether the step after ``count`` others takes the gradients of all losses.

        It does in every method, but for ``Bloop(every=m)`` at every m-th count alone; a traced
        count gives a traced answer.
        """
        return self.every == 1 or count % self.every == 0

    def described(self, gram: Gramian, losses: int) -> Diagnostics:
        """Return the diagnostics of so many gradients, and memory, from all inner products."""
        return measured(gram, losses)

    def watched(self, losses: int) -> tuple[int, ...]:
        """Return the gradients that must be finite for what is remembered to move."""
        read = {j for row in self.memory(losses) for j in range(losses) if not is_nothing(row[j])}
        return tuple(sorted(read)) or tuple(range(losses))

    @abstractmethod
    def direct(self, stack: Stack, scalars: Any, **given: Scalar) -> tuple[Leaves, Any]:
        """Return the direction of gradients and memory, and the next scalars."""

    def at(self, count: Scalar, convert: Callable[..., Scalar]) -> Self:
        """Return this method with its numbers as they are after ``count`` steps.

        ``convert(name, value, most=...)`` brings a number into the arithmetic of the vectors.
        """
        other = copy.copy(self)
        for name, most in self.numbers.items():
            value = getattr(self, name)
            now = tuple(
                None if x is None else convert(label, x(count) if callable(x) else x, most=most)
                for label, x in _labelled(name, value)
            )
            object.__setattr__(other, name, now if isinstance(value, tuple) else now[0])
        object.__setattr__(other, "count", count)
        return other

    @quiet
    def init(self, like: Vector, losses: int = 2) -> State:
        """Return the state before the first step, for gradients like the given vector.

        Raises what ``step`` raises for a bad vector, and ``ValueError`` for a number of losses that
        the method does not take.
        """
        self.check_losses("losses", losses)
        stack = align(like=like)
        memory = (zeros(stack, self.memory_dtype) for _ in range(self.remembers(losses)))
        scalars = self.start(losses)
        if stack.wide is not None:
            scalars = optree.tree_map(lambda x: stack.scalar(float(x)), scalars)
        counters = stack.counter(0), stack.counter(0)
        return State(tuple(map(stack.unflatten, memory)), scalars, *counters)

    def step(
        self, gradients: Sequence[Vector], state: State, **given: Scalar
    ) -> tuple[Vector, State]:
        """Return the direction and the next state.

        Args:
            gradients: [g_main, g_aux, ...], pytrees of arrays; ``None`` is zero.
            state: what ``init`` or the previous ``step`` returned.
            **given: the scalars that the method takes beside the gradients.

        Raises:
            TypeError: a leaf is no floating array, array libraries are mixed, or ``state`` is none.
            ValueError: structures, shapes or devices differ, the number of gradients is wrong, an
                option is out of range, or ``state`` is that of another method or of another number
                of losses, or counts from a negative number, where counters are NumPy's. Its vectors
                are not searched for NaN, which shows in the direction.
            FloatingPointError: with ``nonfinite="raise"``, a gradient is not finite.
        """
        stack = self.aligned(gradients, state)
        direction, after, _ = advance(self, stack, state, **given)
        memory = tuple(map(stack.unflatten, after.memory))
        return stack.unflatten(direction), after._replace(memory=memory)

    @quiet
    def diagnostics(self, gradients: Sequence[Vector], state: Any) -> Diagnostics:
        """Return norms and cosines of the vectors that the next step reads; as in ``step``."""
        return of_stack(self.read(gradients, state), len(gradients), self.described)

    def read(self, gradients: Sequence[Vector], state: Any) -> Stack:
        """Return the vectors that the next step reads: the gradients, then what is remembered."""
        return as_read(self, self.aligned(gradients, state), state)

    def __call__(self, *gradients: Vector, **given: Scalar) -> Vector:
        """Return the direction of a first step, for g_main, g_aux, ...: as ``step`` does."""
        self.check_losses("gradients", len(gradients))
        state = self.init(gradients[0], losses=len(gradients))
        return self.step(gradients, state, **given)[0]

    def check_losses(self, name: str, losses: int) -> None:
        """Raise ``ValueError`` unless the method takes so many losses."""
        least, most = self.least_losses, self.most_losses
        if losses < least or (most is not None and losses > most):
            required = f"{least}" if most == least else f"at least {least}"
            raise ValueError(
                f"{name} must be as many as {type(self).__name__} takes: "
                f"required {required}, found {losses}"
            )

    def aligned(self, gradients: Sequence[Vector], state: State) -> Stack:
        """Check the arguments of a step; return its stack, gradients first, then memory."""
        self.check_losses("gradients", len(gradients))
        if not isinstance(state, State):
            raise TypeError(
                f"state must be a State, as init and step return it; found {type(state).__name__}"
            )
        for name in ("count", "skipped"):
            check_count(f"state.{name}", getattr(state, name))
        required = self._form(len(gradients))
        found = len(state.memory), optree.tree_structure(state.scalars).num_leaves
        if found != required:
            raise ValueError(
                f"state must be one of {type(self).__name__} for {len(gradients)} gradients: "
                f"required {required} remembered vectors and scalars, found {found}"
            )
        return align(
            **{f"gradients[{k}]": gradient for k, gradient in enumerate(gradients)},
            **{f"state.memory[{k}]": vector for k, vector in enumerate(state.memory)},
        )

    def _form(self, losses: int) -> tuple[int, int]:
        scalars = optree.tree_structure(self.start(losses))
        return self.remembers(losses), scalars.num_leaves


def _labelled(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return an option, or each of several, with what errors call it."""
    if isinstance(value, tuple):
        return [(f"{name}[{k}]", x) for k, x in enumerate(value)]
    return [(name, value)]
