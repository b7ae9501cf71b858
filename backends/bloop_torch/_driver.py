"""One step of any method on rows of tensors: the direction, and what is remembered, in place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import optree
import torch
from torch import Tensor, empty_like

from bloop_ref import Diagnostics, Gramian, State
from bloop_ref.driver import start_rows
from bloop_ref.gram_method import GramMethod
from bloop_ref.gramian import all_pairs
from bloop_ref.method import Method
from bloop_ref.scalars import is_nothing
from bloop_torch._leaves import Row
from bloop_torch._stack import Stack
from bloop_torch.step import usable


@dataclass(frozen=True)
class Step:
    """What is to be done.

    ``method`` has its numbers as they are at this step; ``scale`` is what the gradients have been
    multiplied by; ``check`` are those of which is asked whether they are finite, and ``watched``
    those that must be for the memory to move; ``names`` is what the user calls all gradients;
    ``fresh`` makes gradients the first averages; ``given`` holds the scalars that the method takes
    beside vectors; ``begun`` is called before anything is written.
    """

    method: Method
    losses: int
    scalars: Any
    scale: Any
    check: Sequence[int]
    watched: Sequence[int]
    names: Sequence[str]
    fresh: bool
    given: Mapping[str, Any]
    begun: Callable[[], None]
    diagnose: bool = False


class Outcome(NamedTuple):
    """The direction, the next scalars, and diagnostics if asked for.

    ``moved`` says whether the memory moved, ``finite`` whether all gradients that were looked at
    are finite.
    """

    direction: list[Tensor | None]
    scalars: Any
    moved: Tensor | bool
    finite: Tensor | bool
    diagnostics: Diagnostics | None


def take_step(rows: Sequence[Row], step: Step, method: GramMethod) -> Outcome:
    """Take a step of a method that has a matrix, on rows (gradients, remembered vectors).

    The direction takes the memory of the last gradient where it can, and keeps the gradients'
    scale; the remembered vectors are written in place.
    """
    losses = step.losses
    direction = [_direction_for(row[:losses], row[-1]) for row in rows]
    outs = [(out, *row[losses:]) for out, row in zip(direction, rows, strict=True)]
    stack = Stack(rows, outs)
    memory = method.memory(losses)
    flags: Tensor | list[bool] | None = None
    waits = False
    if step.fresh or method.project_on == "updated":
        # these write before they know what the direction reads
        _, flags = stack.gramian((), check=step.check)
        raise_if_bad(step, flags)
        moved = all_of(flags, step.watched)
        if step.fresh:
            first, waits = start_rows(method, losses)
            moved = moved & False if waits else moved  # stays on the device that it is on
            _remember(stack, first, moved, step)
        if method.project_on == "updated":
            _remember(stack, memory, moved, step)
    pairs = all_pairs(losses + len(memory)) if step.diagnose else method.pairs(losses)
    gram, found = stack.gramian(pairs, check=step.check if flags is None else ())
    if flags is None:
        flags = found
        raise_if_bad(step, flags)
        moved = all_of(flags, step.watched)
    gram = unscaled(gram, step)
    row, scalars = _weights(method, gram, step, stack)
    keeps = method.project_on == "previous"
    weights = [row, *memory]
    if isinstance(step.scale, Tensor) or step.scale != 1:
        weights = [_scaled(row, losses, 1, step.scale)]
        weights += [_scaled(line, losses, 1 / step.scale, 1) for line in memory]
    step.begun()
    moves = [moved if keeps and _moves(row, losses + m) else False for m, row in enumerate(memory)]
    stack.combine(weights, only_if=(True, *moves))
    alike = len(step.watched) == len(step.check) and not waits
    finite = moved if alike else all_of(flags, step.check)
    diagnostics = method.described(gram, losses) if step.diagnose else None
    return Outcome(direction, scalars, moved, finite, diagnostics)


def _moves(row: Sequence[Any], place: int) -> bool:
    """Whether a remembered vector becomes another one: its row has anything beside a 1 for it."""
    return any(not is_nothing(w) for j, w in enumerate(row) if j != place)


def _remember(stack: Stack, rows: Sequence[Sequence[Any]], moved: Any, step: Step) -> None:
    """Write the remembered vectors alone."""
    nothing = (0,) * (step.losses + len(rows))
    weights = [_scaled(row, step.losses, 1 / step.scale, 1) for row in rows]
    step.begun()
    stack.combine([nothing, *weights], only_if=(False, *(moved for _ in rows)))


def _weights(
    method: GramMethod, gram: Gramian, step: Step, stack: Stack
) -> tuple[Sequence[Any], Any]:
    """Return the direction's weights and the next scalars: floats where values are read."""
    scalars = step.scalars
    if method.reads_values(step.losses) and not stack.readable:
        # a search by values has to wait for them, once for all
        values = torch.stack([*gram.entries.values()]).tolist()
        gram = Gramian(dict(zip(gram.entries, values, strict=True)), gram.size)
    if stack.readable:
        scalars = optree.tree_map(lambda x: x.item(), scalars)
    given = {name: _number(x, stack) for name, x in step.given.items()}
    (row, *_), after = method.matrix(gram, scalars, **given)
    if after == ():  # as most methods remember nothing beside vectors
        return row, after
    after = optree.tree_map(
        lambda new, old: torch.as_tensor(new, dtype=old.dtype, device=old.device),
        after,
        step.scalars,
    )
    return row, after


def _number(value: Any, stack: Stack) -> Any:
    return value.item() if isinstance(value, Tensor) and stack.readable else value


def unscaled(gram: Gramian, step: Step) -> Gramian:
    """Return the inner products of the gradients as they were before they were scaled."""
    if not isinstance(step.scale, Tensor) and step.scale == 1:
        return gram
    factor = [1 / step.scale if j < step.losses else 1 for j in range(gram.size)]
    entries = {(i, j): x * factor[i] * factor[j] for (i, j), x in gram.entries.items()}
    return Gramian(entries, gram.size, unit=gram.unit, spacing=gram.spacing)


def _scaled(row: Sequence[Any], losses: int, gradients: Any, memory: Any) -> tuple[Any, ...]:
    """Return weights for scaled gradients; the integers 0 stay, as does what is multiplied by 1."""
    factors = (gradients if j < losses else memory for j in range(len(row)))
    return tuple(
        w if is_nothing(w) or (not isinstance(f, Tensor) and f == 1) else w * f
        for w, f in zip(row, factors, strict=True)
    )


def raise_if_bad(step: Step, flags: Tensor | list[bool]) -> None:
    """Raise before anything is written; the flags are waited for."""
    if step.method.nonfinite == "raise" and not all(flags):
        bad = [step.names[k] for k, finite in zip(step.check, flags, strict=True) if not finite]
        raise FloatingPointError(f"{', '.join(bad)} must be finite; found NaN or infinity")


def all_of(flags: Tensor | list[bool], places: Sequence[int]) -> Tensor | bool:
    """Return whether some of the gradients are finite: true where none was looked at."""
    if not isinstance(flags, Tensor):
        return all(flags[k] for k in places)
    if len(places) < 2:
        return flags[places[0] if places else 0]
    return flags.all() if len(places) == len(flags) else flags[list(places)].all()


def settled(state: State, outcome: Outcome) -> State:
    """Return a state with the next scalars, where they are to move; averages have moved."""
    moved, old = outcome.moved, state.scalars
    scalars: Any = outcome.scalars
    if isinstance(moved, Tensor):
        scalars = optree.tree_map(lambda x, y: torch.where(moved.to(x.device), x, y), scalars, old)
    elif not moved:
        scalars = old
    return State(state.memory, scalars, state.count, state.skipped)


def _direction_for(row: Row, last: Tensor | None) -> Tensor | None:
    """Return the memory that the direction of a leaf goes to, in order with that of ``last``."""
    model = next((x for x in row if x is not None), None)
    if model is None:
        return None  # no loss reaches the parameter, and it is not to move
    donated, like = row[-1], model if last is None else last
    if donated is not None and donated.dtype == model.dtype and usable(donated, like=like):
        return donated
    return empty_like(like, dtype=model.dtype)
