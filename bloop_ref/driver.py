"""One step of any method: what Algorithm 1 does around its two rows, once for all methods."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import optree

from bloop_ref import linear
from bloop_ref.aliases import Array, Leaves, Rows, Scalar, Vector
from bloop_ref.arrays import complex_of, quiet
from bloop_ref.gramian import Gramian, Pairs
from bloop_ref.scalars import as_scalar, is_nothing, known_false
from bloop_ref.vectors import Stack, all_finite, choose

if TYPE_CHECKING:
    from bloop_ref.method import Method


class State(NamedTuple):
    """What a method carries from step to step; immutable, and a pytree.

    ``memory`` are the remembered vectors, ``scalars`` what the method remembers beside them,
    ``count`` the number of steps taken and ``skipped`` how many of them had a gradient that was not
    finite and left memory and scalars alone; both are zero-dimensional int32 arrays, so that
    reading them never blocks a device by itself.
    """

    memory: tuple[Vector, ...]
    scalars: Any
    count: Array
    skipped: Array

    @property
    def ema(self) -> Vector:
        """The first remembered vector: Bloop's moving average of main gradients."""
        return self.memory[0]


class Engine(NamedTuple):
    """The operations on a stack that a step is made of; those of ``bloop_ref.linear`` by default.

    ``combinations(stack, rows, dtypes)`` returns the leaves of one linear combination for each row,
    the leaves of each in its own dtypes.
    """

    gramian: Callable[[Stack, Pairs], Gramian]
    combinations: Callable[[Stack, Rows, Sequence[Any]], Sequence[Leaves]]
    all_finite: Callable[[Stack, Sequence[int]], Scalar]


def _combinations(stack: Stack, rows: Rows, dtypes: Sequence[Any]) -> Sequence[Leaves]:
    return [linear.combination(stack, *pair) for pair in zip(rows, dtypes, strict=True)]


REFERENCE = Engine(linear.gramian, _combinations, all_finite)


@quiet
def advance(
    method: "Method",
    stack: Stack,
    state: State,
    engine: Engine = REFERENCE,
    **given: Scalar,
) -> tuple[Leaves, State, Scalar]:
    """Return the direction, the next state and whether what was remembered moved.

    The vectors of the next state are leaves, which the caller rebuilds.

    Args:
        method: what weights the vectors.
        stack: the gradients, then the remembered vectors.
        state: the state before the step, whose vectors are those of the stack.
        engine: what reads and writes the vectors.
        **given: the scalars that the method takes beside the gradients.
    """
    losses, before = _split(stack, state)
    method, stack, moved = _begun(method, stack, state, engine)
    updated = method.project_on == "updated"
    rows = () if updated else method.memory(losses)
    direction, scalars, averages = _directed(method, stack, state, rows, engine, given)
    after = stack.leaves[losses:]
    if not updated:
        after = tuple(_moved(stack, moved, *pair) for pair in zip(averages, before, strict=True))
    scalars = optree.tree_map(partial(_new_scalar, stack, moved), scalars, state.scalars)
    kept_out = 0 if moved is None else 1 - stack.xp.astype(moved, stack.xp.int32)
    count, skipped = stack.counter(state.count + 1), stack.counter(state.skipped + kept_out)
    return direction, State(after, scalars, count, skipped), moved


def as_read(method: "Method", stack: Stack, state: State, engine: Engine = REFERENCE) -> Stack:
    """Return the stack that the next step takes its inner products of, as for ``advance``."""
    return _begun(method, stack, state, engine)[1]


def _split(stack: Stack, state: State) -> tuple[int, tuple[Leaves, ...]]:
    """Return how many vectors of a stack are gradients, and the others."""
    losses = len(stack.leaves) - len(state.memory)
    return losses, stack.leaves[losses:]


def _begun(
    method: "Method", stack: Stack, state: State, engine: Engine
) -> tuple["Method", Stack, Scalar]:
    """Return the method at this step, the stack that it reads, and whether memory may move."""
    losses, before = _split(stack, state)
    method = method.at(state.count, partial(as_scalar, stack=stack))
    watched = method.watched(losses)
    names = [f"gradients[{k}]" for k in watched]
    moved = watched_finite(method.nonfinite, names, lambda: engine.all_finite(stack, watched))
    if any(method.starts(losses)):
        stack, moved = _started(method, stack, state, moved, engine)
    if method.project_on == "updated":
        # not Algorithm 1: the averages move before the direction is taken
        rows = method.memory(losses)
        after = engine.combinations(stack, rows, _dtypes(stack, losses, rows))
        moves = (_moved(stack, moved, *pair) for pair in zip(after, before, strict=True))
        stack = stack.of(*stack.leaves[:losses], *moves)
    return method, stack, moved


def _dtypes(stack: Stack, losses: int, rows: Rows) -> list[list[Any]]:
    return [memory_dtypes(stack, losses, m) for m in range(len(rows))]


def _directed(
    method: Any,
    stack: Stack,
    state: State,
    rows: Rows,
    engine: Engine,
    given: Mapping[str, Scalar],
) -> tuple[Leaves, Any, Sequence[Leaves]]:
    """Return the direction, the next scalars, and the averages that are still to be taken."""
    losses, _ = _split(stack, state)
    dtypes = _dtypes(stack, losses, rows)
    if engine is not REFERENCE:
        gram = engine.gramian(stack, method.pairs(losses))
        if hasattr(method, "matrix"):
            (row, *_), scalars = method.matrix(gram, state.scalars, **given)
            direction, *averages = engine.combinations(stack, (row, *rows), (stack.dtypes, *dtypes))
            return direction, scalars, averages
        given = {**given, "gram": gram}
    # some methods are more accurate on vectors than on a Gramian, and some have no matrix
    direction, scalars = method.direct(stack, state.scalars, **given)
    return direction, scalars, engine.combinations(stack, rows, dtypes)


def watched_finite(nonfinite: str, names: Sequence[str], finite: Callable[[], Scalar]) -> Scalar:
    """Return whether memory may move, as an array that is not read; ``None`` if it always does.

    Raises ``FloatingPointError`` for ``nonfinite="raise"`` and what is known not to be finite.
    """
    if nonfinite == "propagate":
        return None
    found = finite()
    if nonfinite == "raise" and known_false(lambda: found):
        raise FloatingPointError(f"{', '.join(names)} must be finite; found NaN or infinity")
    return found


def start_rows(method: "Method", losses: int) -> tuple[Rows, bool]:
    """Return what each remembered vector is where none has moved yet, over the stack.

    That is the first gradient that enters it, where the method wants that for a start. And return
    whether one has no gradient to start from: then none is to move.
    """
    memory, starts = method.memory(losses), method.starts(losses)
    rows: list[list[int]] = []
    waits = False
    for m, (row, begins) in enumerate(zip(memory, starts, strict=True)):
        first = [int(begins and not is_nothing(w)) for w in row[:losses]]
        waits = waits or (begins and not any(first))
        rest = [int(j == m and not any(first)) for j in range(len(memory))]
        rows.append([*first, *rest])
    return rows, waits


def _started(
    method: "Method", stack: Stack, state: State, moved: Scalar, engine: Engine
) -> tuple[Stack, Scalar]:
    """Return the stack, its memory started if none has moved yet, and whether it may move."""
    losses, memory = _split(stack, state)
    rows, waits = start_rows(method, losses)
    fresh = stack.scalar(state.count == state.skipped, stack.xp.bool)
    if waits:
        begun = stack.xp.logical_not(fresh)
        return stack, begun if moved is None else stack.xp.logical_and(begun, moved)
    if moved is not None:
        fresh = stack.xp.logical_and(fresh, moved)
    dtypes = _dtypes(stack, losses, rows)
    first = zip(engine.combinations(stack, rows, dtypes), memory, strict=True)
    return stack.of(*stack.leaves[:losses], *(choose(stack, fresh, *pair) for pair in first)), moved


def _moved(stack: Stack, moved: Scalar, new: Leaves, old: Leaves) -> Leaves:
    return new if moved is None else choose(stack, moved, new, old)


def _new_scalar(stack: Stack, moved: Scalar, new: Scalar, old: Scalar) -> Scalar:
    """Return a scalar that is remembered, the old one if nothing is to move, as an array."""
    if stack.wide is None:  # fractions and symbols, which no array library chooses between
        return old if moved is not None and known_false(lambda: moved) else new
    old = stack.scalar(old, getattr(old, "dtype", None))
    new = stack.scalar(new, old.dtype)
    return new if moved is None else stack.xp.where(moved, new, old)


def memory_dtypes(stack: Stack, losses: int, m: int) -> list[Any]:
    """Return the dtypes of a memory's next value: its own, or at least float32 where it is zero."""
    gradients = stack.of(*stack.leaves[:losses]).dtypes
    return [
        leaf.dtype if leaf is not None else None if dtype is None else widened(dtype, stack.xp)
        for leaf, dtype in zip(stack.leaves[losses + m], gradients, strict=True)
    ]


def widened(dtype: Any, xp: Any, chosen: Any = None) -> Any:
    """Return the dtype of the average of a leaf: complex where the leaf is, at least float32."""
    if getattr(dtype, "kind", None) == "O":
        return dtype
    if chosen is None:
        return xp.result_type(dtype, xp.float32)
    is_complex = xp.isdtype(dtype, "complex floating")
    return complex_of(chosen, xp) if is_complex else chosen


def holds_an_average(dtype: Any, xp: Any) -> bool:
    """Whether a dtype is a real one in which an average of many gradients keeps moving."""
    try:
        return bool(xp.isdtype(dtype, "real floating") and float(xp.finfo(dtype).eps) < 2.0**-22)
    except (TypeError, ValueError, AttributeError):  # each library's word for "no dtype of mine"
        return False


def zeros(stack: Stack, chosen: Any) -> Leaves:
    """Return a zero average for gradients like the first vector, in a chosen dtype if one is."""
    xp = stack.xp
    dtype = getattr(xp, chosen, chosen) if isinstance(chosen, str) else chosen
    if dtype is not None and not holds_an_average(dtype, xp):
        raise ValueError(
            "ema_dtype must be None, float32 or float64 of the gradients' library: a narrower "
            "average stops moving once rho times the difference is below its spacing; "
            f"found {chosen!r}"
        )
    return tuple(
        None if x is None else xp.zeros_like(x, dtype=widened(x.dtype, xp, dtype))
        for x in stack.leaves[0]
    )
