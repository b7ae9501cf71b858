"""Time per step on the GPU, against 7 n floats over the bandwidth of a copy.

The bandwidth is that of a copy of one vector as long, measured in the same rounds.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tests.benchmarks.workloads import WORKLOADS, Leaves, gradients
from tests.gpu.devices import to_device, wait

LAM, RHO = 0.5, 0.01
STEPS, ROUNDS = 20, 9
SIZES = ("25.6M flat", "ResNet-50 tree")
Run = Callable[[], object]
Tree = list[Any]


@dataclass(frozen=True)
class Row:
    """What one contestant took, or why nothing was measured."""

    framework: str
    workload: str
    contestant: str
    milliseconds: float | None = None
    x_limit: float | None = None
    note: str = ""


def textbook(g_main: Tree, g_aux: Tree, ema: Tree) -> tuple[Tree, Tree]:
    """Return the direction and the new average as the equations are printed."""
    aux_ema = sum((a * e).sum() for a, e in zip(g_aux, ema, strict=True))
    k = aux_ema / sum((e * e).sum() for e in ema)
    direction = [g + LAM * (a - k * e) for g, a, e in zip(g_main, g_aux, ema, strict=True)]
    return direction, [(1 - RHO) * e + RHO * g for g, e in zip(g_main, ema, strict=True)]


def there(framework: str, *vectors: Leaves) -> list[Tree]:
    """Return vectors on the GPU."""
    return [[to_device(framework, leaf) for leaf in vector] for vector in vectors]


def torch_runs(*vectors: Leaves) -> dict[str, Run]:
    """Return torch's contestants; the first one copies a vector."""
    torch: Any = import_module("torch")
    step = import_module("bloop_torch").step
    g, a, e = there("torch", *vectors)
    flat = torch.cat([leaf.reshape(-1) for leaf in g])
    target = torch.empty_like(flat)

    def in_place() -> object:
        return step(g, a, e, lam=LAM, rho=RHO, inplace=True)

    return {
        "copy": lambda: target.copy_(flat),
        "bloop_torch, in place": in_place,
        "bloop_torch, compiled, in place": torch.compile(in_place),
        "bloop_torch.Bloop": torch_class(g, a),
        "textbook expressions": lambda: textbook(g, a, e),
        **torchjd_runs(torch.stack([flat, torch.cat([leaf.reshape(-1) for leaf in a])])),
    }


def torch_class(g: Tree, a: Tree) -> Run:
    """Return the part of the class in a training step: what follows the backward passes."""
    torch: Any = import_module("torch")
    parameters = [torch.nn.Parameter(torch.empty_like(leaf)) for leaf in g]
    bloop = import_module("bloop_torch").Bloop(parameters, lam=LAM, rho=RHO)

    def run() -> object:
        for parameter in parameters:
            parameter.grad = None  # no optimiser steps here
        for phase, gradient in ((bloop.main_gradient, g), (bloop.aux_gradient, a)):
            with phase():
                for parameter, leaf in zip(parameters, gradient, strict=True):
                    parameter.grad = leaf
        return bloop.combine()

    return run


def torchjd_runs(matrix: Any) -> dict[str, Run]:
    """Return TorchJD's aggregators, of gradients laid out as a matrix beforehand."""
    if find_spec("torchjd") is None:
        return {}
    aggregation = import_module("torchjd.aggregation")
    names = ("UPGrad", "PCGrad", "MGDA")
    return {f"TorchJD {name}": partial(getattr(aggregation, name)(), matrix) for name in names}


def jax_runs(*vectors: Leaves) -> dict[str, Run]:
    """Return JAX's contestants; the first one copies a vector."""
    jax: Any = import_module("jax")
    step = import_module("bloop_jax").step
    g, a, e = there("jax", *vectors)
    flat = jax.numpy.concatenate([leaf.reshape(-1) for leaf in g])

    def donated(function: Callable[..., Any]) -> Run:
        compiled = jax.jit(function, donate_argnums=(1, 2))
        state = [g, *([jax.numpy.copy(leaf) for leaf in vector] for vector in (a, e))]

        def run() -> object:
            state[1:] = compiled(*state)
            return state

        return run

    return {
        "copy": partial(jax.jit(jax.numpy.copy), flat),
        "bloop_jax, donated": donated(partial(step, lam=LAM, rho=RHO)),
        "textbook expressions, compiled, donated": donated(textbook),
    }


def cupy_runs(*vectors: Leaves) -> dict[str, Run]:
    """Return CuPy's contestants; the first one copies a vector."""
    cp: Any = import_module("cupy")
    step = import_module("bloop_cupy").step
    g, a, e = there("cupy", *vectors)
    flat = cp.concatenate([leaf.reshape(-1) for leaf in g])
    target = cp.empty_like(flat)
    return {
        "copy": lambda: cp.copyto(target, flat),
        "bloop_cupy, in place": lambda: step(g, a, e, lam=LAM, rho=RHO, inplace=True),
        "bloop_cupy, pure": lambda: step(g, a, e, lam=LAM, rho=RHO),
        "textbook expressions": lambda: textbook(g, a, e),
    }


RUNS = {"torch": torch_runs, "jax": jax_runs, "cupy": cupy_runs}


def seconds(framework: str, run: Run) -> float:
    """Return the time of one of several calls in a row, the last one waited for."""
    started = time.perf_counter()
    for _ in range(STEPS):
        result = run()
    if framework == "jax":
        import_module("jax").block_until_ready(result)
    wait(framework)
    return (time.perf_counter() - started) / STEPS


def measure(framework: str, workload: str, deadline: float) -> Iterator[Row]:
    """Yield a row for each contestant; ratios are medians of the rounds' own ratios."""
    runs = RUNS[framework](*(gradients(WORKLOADS[workload], seed) for seed in range(3)))
    ready: dict[str, list[float]] = {}
    for name, run in runs.items():
        if time.monotonic() > deadline:
            yield Row(framework, workload, name, note="not measured: the time was up")
            continue
        try:
            seconds(framework, run)
            ready[name] = []
        except Exception as error:  # one contestant's trouble is not that of the others
            yield Row(framework, workload, name, note=f"{type(error).__name__}: {error}"[:300])
    for done in range(ROUNDS):
        if done and time.monotonic() > deadline:
            break
        for name, times in ready.items():
            times.append(seconds(framework, runs[name]))
    yield from rows(framework, workload, ready)


def rows(framework: str, workload: str, ready: dict[str, list[float]]) -> Iterator[Row]:
    """Yield medians. A copy moves 2 n floats, a step 7 n at least."""
    entries = sum(math.prod(shape) for shape in WORKLOADS[workload])
    for name, times in ready.items():
        median = statistics.median(times)
        ratio = ratio_to(ready["copy"], times) if "copy" in ready else None
        notes = [f"{8e-9 * entries / median:.0f} GB/s"] if name == "copy" else []
        notes += [] if len(times) == ROUNDS else [f"{len(times)} rounds"]
        yield Row(framework, workload, name, round(1e3 * median, 4), ratio, ", ".join(notes))


def ratio_to(copies: Sequence[float], times: Sequence[float]) -> float:
    """Return the median of the ratios to 7 n floats at the speed of a copy of 2 n."""
    ratios = [x / (copy * 7 / 2) for x, copy in zip(times, copies, strict=True)]
    return round(statistics.median(ratios), 3)
