"""How many launches a step of Bloop takes on a device whose values nobody waits for.

``python -m tests.torch.engine_launches`` asks all of the kernels that an engine must do. Their
interpreter has to be chosen before Triton is imported, so this needs a process of its own:
``TRITON_INTERPRET=1``. It prints a JSON object, for each case ``null`` or how it failed.
"""

import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bloop_ref import Bloop
from bloop_torch import _stack, _triton
from bloop_torch._driver import Step, take_step
from bloop_torch._operator import write_step
from tests.torch import engine_combinations, engine_sums
from tests.torch.engines_support import BLOCK, CASES, SINGLE, normal

ALL = engine_sums, engine_combinations  # importing them registers their cases

LEAVES = 161

# launches for tensors of any size; the rest are views and memory
FREE = {
    "aten::empty.memory_format",
    "aten::select.int",
    "aten::slice.Tensor",
    "aten::split_with_sizes",
    "aten::detach",
    "aten::view.dtype",
    "aten::view",
    "aten::unbind.int",
}


class Counter(TorchDispatchMode):
    """Counts operations, and refuses to let the host read a value."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function.name()
        assert name not in ("aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero"), name
        if name not in FREE:
            self.found.append(name)
        return function(*args, **(kwargs or {}))


@contextmanager
def counted_launches(counter: Counter, moved: list[int]) -> Iterator[None]:
    """Count launches of kernels, and the columns that each reads or writes."""
    launch = _triton._launch

    def counted(kernel: str, *args: Any, **constants: Any) -> None:
        counter.found.append(kernel)
        columns = [*constants["DTYPES"], *constants.get("OUTS", ())]
        moved.append(len(columns) - columns.count(None))
        # the interpreter's own operations are not ours
        with torch.utils._python_dispatch._disable_current_modes():
            launch(kernel, *args, **constants)

    _triton._launch = counted
    try:
        yield
    finally:
        _triton._launch = launch


def count(engine: Any, leaves: int, *, driven: bool) -> tuple[list[str], int]:
    """Return the launches of a step in place, and how many floats it moves for each entry.

    ``driven`` is the step of the training-loop class, which leaves the average alone where the main
    gradient is not finite, and asks the same of the other one.
    """
    rows = [tuple(normal(1 + k % 7, SINGLE, 3 * k + j) for j in range(3)) for k in range(leaves)]
    counter, moved = Counter(), list[int]()
    chosen = _stack._engine_for
    _stack._engine_for = lambda rows: engine
    try:
        with counter, counted_launches(counter, moved):
            if driven:
                method = Bloop(0.3, 0.01)
                names = ("main_gradient()", "aux_gradient()")
                step = Step(method, 2, (), 1, (0, 1), (0,), names, False, {}, lambda: None)
                take_step(rows, step, method)
            else:
                write_step(rows, [row[1:] for row in rows], 0.3, 0.01)
    finally:
        _stack._engine_for = chosen
    return counter.found, sum(moved)


def launches_do_not_grow_with_the_leaves(engine: Any) -> None:
    for driven, most, floats in ((False, 10, 7), (True, 12, 8)):
        found, moved = count(engine, LEAVES, driven=driven)
        assert len(found) <= most, found
        assert moved == floats
        assert found == count(engine, 2, driven=driven)[0]


def main() -> None:
    _triton.block_size = lambda columns: BLOCK
    cases = CASES | {"launches": launches_do_not_grow_with_the_leaves}
    failures: dict[str, str | None] = {}
    for name, function in cases.items():
        try:
            function(_triton)
        except Exception:
            failures[name] = traceback.format_exc()
        else:
            failures[name] = None
    print(json.dumps(failures))


if __name__ == "__main__":
    main()
