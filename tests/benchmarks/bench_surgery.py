"""``python -m tests.benchmarks.bench_surgery``: methods of K losses against their own traffic.

A Gram method reads K gradients twice and writes one direction: (2 K + 1) n floats. A hierarchy of K
levels below the main loss reads K + 1 gradients and K averages, and writes K averages besides:
(5 K + 2) n floats, the last gradient being read once. The unit is the time in which the limit
kernel, which moves 7 n floats, would move as many, measured in the same rounds.
"""

from functools import partial
from typing import Any

import torch

from bloop_ref import HierarchicalBloop
from bloop_ref.surgery import MGDA, CAGrad, MetaBalance, Method, PCGrad
from bloop_torch import Surgery
from tests.benchmarks.harness import Case, Contestant, Run, main_of_many
from tests.benchmarks.peers import peers
from tests.benchmarks.workloads import Leaves


def _ours(method: Method, *vectors: Leaves) -> Run:
    gradients = [[torch.from_numpy(x) for x in vector] for vector in vectors]
    parameters = [torch.nn.Parameter(torch.empty_like(g)) for g in gradients[0]]
    surgery = Surgery(parameters, method, losses=len(gradients))

    def run() -> object:
        for parameter in parameters:
            parameter.grad = None  # no optimiser steps here
        for k, gradient in enumerate(gradients):
            with surgery.gradient(k):
                for parameter, leaf in zip(parameters, gradient, strict=True):
                    parameter.grad = leaf
        return surgery.combine()

    run()  # the averages are made now
    return run


def _contestant(name: str, method: Method) -> Contestant:
    return Contestant(f"bloop_torch, {name}", partial(_ours, method))


def contestants(losses: int) -> list[Contestant]:
    """Return our Gram methods and TorchJD's aggregators, for so many losses."""
    bare: Any = {"nonfinite": "propagate"}
    methods = (PCGrad(**bare), MGDA(**bare), MetaBalance(**bare), CAGrad(0.5, **bare))
    return [*(_contestant(type(m).__name__, m) for m in methods), *peers(losses)]


def hierarchy(levels: int) -> list[Contestant]:
    """Return hierarchical Bloop with so many levels below the main loss."""
    method = HierarchicalBloop([0.5] * levels, 0.01, nonfinite="propagate")
    return [_contestant(f"hierarchy of {levels} levels", method)]


if __name__ == "__main__":
    main_of_many(
        "methods of K losses",
        {
            "2 losses": Case(2, 5, contestants(2)),
            "8 losses": Case(8, 17, contestants(8)),
            "hierarchy of 8 levels": Case(9, 42, hierarchy(8)),
        },
    )
