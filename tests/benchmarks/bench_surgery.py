"""``python -m tests.benchmarks.bench_surgery``: methods of K losses against their own traffic.

A Gram method reads K gradients twice and writes one direction: (2 K + 1) n floats. A hierarchy of K
levels below the main loss reads K + 1 gradients and K averages, and writes K averages besides:
(5 K + 2) n floats, the last gradient being read once. The unit is the time in which the limit
kernel, which moves 7 n floats, would move as many, measured in the same rounds.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from bloop_ref import HierarchicalBloop
from bloop_ref.surgery import MGDA, CAGrad, Hierarchy, MetaBalance, Method, PCGrad
from bloop_torch._methods import Step, take_step
from tests.benchmarks.harness import Case, Contestant, Run, main_of_many
from tests.benchmarks.peers import peers
from tests.benchmarks.workloads import Leaves


def _tensors(vectors: Any) -> list[list[Tensor]]:
    return [[torch.from_numpy(x) for x in vector] for vector in vectors]


def _ours(method: Method, compiled: bool, *vectors: Leaves) -> Run:
    gradients = _tensors(vectors)
    state = method.init(gradients[0], len(gradients))
    rows = list(zip(*gradients, strict=True))
    step = Step(method, state, 1, check=False, given={}, compiled=compiled)
    return lambda: take_step(rows, step)


def _contestant(name: str, method: Method, compiled: bool) -> Contestant:
    how = ", compiled" if compiled else ""
    return Contestant(f"bloop_torch, {name}{how}", partial(_ours, method, compiled))


def contestants(losses: int) -> list[Contestant]:
    """Return our Gram methods and TorchJD's aggregators, for so many losses."""
    methods = (PCGrad(), MGDA(), MetaBalance(), CAGrad(0.5))
    ours = [_contestant(type(m).__name__, m, x) for m in methods for x in (False, True)]
    return [*ours, *peers(losses)]


def hierarchy(levels: int) -> list[Contestant]:
    """Return hierarchical Bloop with so many levels below the main loss."""
    method = Hierarchy(HierarchicalBloop([0.5] * levels, 0.01, nonfinite="propagate"))
    return [_contestant(f"hierarchy of {levels} levels", method, x) for x in (False, True)]


if __name__ == "__main__":
    main_of_many(
        "methods of K losses",
        {
            "2 losses": Case(2, 5, contestants(2)),
            "8 losses": Case(8, 17, contestants(8)),
            "hierarchy of 8 levels": Case(9, 42, hierarchy(8)),
        },
    )
