"""``python -m tests.benchmarks.bench_torch``: the torch step, the limit, textbook and TorchJD."""

import time
from collections.abc import Callable

import torch
from rich.console import Console
from torch import Tensor

import bloop_torch
from tests.benchmarks.harness import LAM, RHO, Contestant, Run, main
from tests.benchmarks.peers import peers
from tests.benchmarks.workloads import Leaves

Vectors = tuple[list[Tensor], list[Tensor], list[Tensor]]


def _step(vectors: Vectors) -> object:
    return bloop_torch.step(*vectors, lam=LAM, rho=RHO, inplace=True)


def _tensors(*vectors: Leaves) -> Vectors:
    g_main, g_aux, ema = ([torch.from_numpy(leaf) for leaf in vector] for vector in vectors)
    return g_main, g_aux, ema


def _in_place(*vectors: Leaves) -> Run:
    tensors = _tensors(*vectors)
    return lambda: _step(tensors)


def _compiled_in_place(*vectors: Leaves) -> Run:
    tensors = _tensors(*vectors)
    torch.compiler.reset()
    compiled: Callable[[Vectors], object] = torch.compile(_step, fullgraph=True, dynamic=False)
    started = time.perf_counter()
    compiled(tensors)
    Console().print(f"compiled in {time.perf_counter() - started:.1f} s")
    return lambda: compiled(tensors)


def _pure(*vectors: Leaves) -> Run:
    tensors = _tensors(*vectors)
    return lambda: bloop_torch.step(*tensors, lam=LAM, rho=RHO)


def _class(*vectors: Leaves) -> Run:
    """Return the class's own part of a training step: phases, check for NaN, combination."""
    g_main, g_aux, ema = _tensors(*vectors)
    parameters = [torch.nn.Parameter(torch.empty_like(g)) for g in g_main]
    bloop = bloop_torch.Bloop(parameters, lam=LAM, rho=RHO)
    bloop.state = bloop.state._replace(memory=(list(ema),))

    def run() -> object:
        for parameter in parameters:
            parameter.grad = None  # no optimiser steps here
        for phase, gradient in ((bloop.main_gradient, g_main), (bloop.aux_gradient, g_aux)):
            with phase():
                for parameter, leaf in zip(parameters, gradient, strict=True):
                    parameter.grad = leaf
        return bloop.combine()

    return run


def _textbook(*vectors: Leaves) -> Run:
    g_main, g_aux, ema = _tensors(*vectors)

    def run() -> object:
        aux_ema = sum((a * e).sum() for a, e in zip(g_aux, ema, strict=True))
        k = aux_ema / sum((e * e).sum() for e in ema)
        direction = [g + LAM * (a - k * e) for g, a, e in zip(g_main, g_aux, ema, strict=True)]
        return direction, [(1 - RHO) * e + RHO * g for g, e in zip(g_main, ema, strict=True)]

    return run


CONTESTANTS = (
    Contestant("bloop_torch, in place", _in_place),
    Contestant("bloop_torch, compiled, in place", _compiled_in_place),
    Contestant("bloop_torch.Bloop, skipping", _class),
    Contestant("bloop_torch, pure", _pure),
    Contestant("textbook expressions", _textbook),
    *peers(2),
)


if __name__ == "__main__":
    main("bloop_torch", CONTESTANTS)
