"""One step of the methods that no one matrix says: leaf by leaf, and SAM-GS."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import optree
import torch
from torch import Tensor

from bloop_ref import Diagnostics, Gramian, State
from bloop_ref.diagnostics import measured
from bloop_ref.gram_method import GramMethod
from bloop_ref.gramian import all_pairs
from bloop_ref.surgery import SamGS
from bloop_torch._diagnostics import together
from bloop_torch._driver import Outcome, Step, all_of, raise_if_bad, settled, take_step, unscaled
from bloop_torch._leaves import Row
from bloop_torch._shards import is_sharded, local, spread
from bloop_torch._stack import Stack


def take_leafwise_step(
    rows: Sequence[Row], step: Step, states: Sequence[State], method: GramMethod
) -> tuple[Outcome, tuple[State, ...]]:
    """Take a step of a method on every leaf by itself, with a state for each."""
    if method.nonfinite == "raise":  # before any leaf moves
        for row in rows:
            raise_if_bad(step, Stack([row], [()]).gramian((), check=step.check)[1])
    direction: list[Tensor | None] = []
    after: list[State] = []
    flags: list[tuple[Tensor | bool, Tensor | bool]] = []
    seen: list[Diagnostics] = []
    for row, state in zip(rows, states, strict=True):
        if all(x is None for x in row):
            direction.append(None)
            after.append(state)
            continue
        of_leaf = replace(step, method=method, scalars=state.scalars)
        outcome = take_step([(*row, *state.memory)], of_leaf, method)
        direction += outcome.direction
        after.append(settled(state, outcome))
        flags.append((outcome.moved, outcome.finite))
        seen += [] if outcome.diagnostics is None else [outcome.diagnostics]
    moved, finite = (_all([pair[k] for pair in flags]) for k in range(2))
    size = step.losses + method.remembers(step.losses)
    whole = together(seen, step.losses, size) if step.diagnose else None
    return Outcome(direction, None, moved, finite, whole), tuple(after)


def _all(flags: Sequence[Tensor | bool]) -> Tensor | bool:
    """Return whether all flags are true, without waiting for those that are tensors."""
    tensors = [flag for flag in flags if isinstance(flag, Tensor)]
    return torch.stack([x.to(tensors[0].device) for x in tensors]).all() if tensors else all(flags)


def take_vector_step(rows: Sequence[Row], step: Step, state: Any) -> tuple[Outcome, Any]:
    """Take a step of a method that has no matrix as the reference does; return the next state too.

    What such a method remembers moves only where all gradients are finite.
    """
    stack = Stack(rows, [() for _ in rows])
    diagonal = tuple((k, k) for k in range(step.losses)) if _spread(rows) else ()
    if diagonal and not isinstance(step.method, SamGS):
        raise TypeError(
            f"{type(step.method).__name__} is none of bloop_ref.surgery, has no matrix, and takes "
            "no sharded gradients (DTensor)"
        )
    gram, flags = stack.gramian(diagonal, check=step.check)
    raise_if_bad(step, flags)
    finite = all_of(flags, step.check)
    columns = [[_over(local(x), step.scale) for x in c] for c in zip(*rows, strict=True)]
    given = dict(step.given)
    if diagonal:  # only the norms need what the other processes have
        whole = unscaled(gram, step)
        entries = {pair: torch.as_tensor(x) for pair, x in whole.entries.items()}
        given["gram"] = Gramian(entries, whole.size)
    parts: Any = optree.tree_map(lambda x: local(x) if isinstance(x, Tensor) else x, state)
    after: Any
    direction, after = step.method.step(columns, parts, **given)
    like = [next((x for x in row if x is not None), None) for row in rows]
    result = [
        spread(_over(x, 1 / step.scale), like=y) for x, y in zip(direction, like, strict=True)
    ]
    after = optree.tree_map(lambda new, old: _kept(new, old, finite), after, state)
    seen = _seen(rows, getattr(after, "memory", ()), step) if step.diagnose else None
    step.begun()
    return Outcome(result, None, finite, finite, seen), after


def _seen(rows: Sequence[Row], memory: Sequence[Any], step: Step) -> Diagnostics:
    """Return the diagnostics of gradients and of what is remembered of them."""
    read = [(*row, *(vector[k] for vector in memory)) for k, row in enumerate(rows)]
    stack = Stack(read, [() for _ in read])
    gram, _ = stack.gramian(all_pairs(step.losses + len(memory)))
    return measured(unscaled(gram, step), step.losses)


def _kept(new: Any, old: Any, finite: Any) -> Any:
    """Return a part of a state, placed like the old one, and that itself if nothing is to move."""
    there: Any = spread(new, like=old)
    if not isinstance(finite, Tensor):
        return there if finite else old
    return torch.where(finite.to(new.device), there, old)


def _spread(rows: Sequence[Row]) -> bool:
    return any(x is not None and is_sharded(x) for row in rows for x in row)


def _over(leaf: Tensor | None, scale: Any) -> Tensor | None:
    scaled = isinstance(scale, Tensor) or scale != 1
    return leaf / scale if scaled and leaf is not None else leaf
