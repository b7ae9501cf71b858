"""``python -m tests.gpu.bench_gpu``: time per step against 7 n floats over the copy bandwidth.

The bandwidth is that of a copy of a vector of the same size, measured in the same rounds.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.gpu.devices import FRAMEWORKS, missing

LAM, RHO, ENTRIES, STEPS = 0.5, 0.01, 25_557_032, 20
Run = Callable[[], None]


def textbook(g: Any, a: Any, e: Any) -> Any:
    """Return the direction and the new average as the equations are printed."""
    direction = g + LAM * (a - (a @ e) / (e @ e) * e)
    return direction, (1 - RHO) * e + RHO * g


def torch_runs(device: str = "cuda") -> dict[str, Run]:
    torch: Any = import_module("torch")
    step = import_module("bloop_torch").step
    g, a, e = (torch.randn(ENTRIES, device=device) for _ in range(3))
    target, both = torch.empty_like(g), torch.stack([g, a])
    upgrad = import_module("torchjd.aggregation").UPGrad()

    def synchronised(function: Callable[[], object]) -> Run:
        def run() -> None:
            for _ in range(STEPS):
                function()
            if device == "cuda":
                torch.cuda.synchronize()

        return run

    def in_place() -> object:
        return step([g], [a], [e], lam=LAM, rho=RHO, inplace=True)

    return {
        "copy": synchronised(lambda: target.copy_(g)),
        "bloop_torch, in place": synchronised(in_place),
        "bloop_torch, in place, compiled": synchronised(torch.compile(in_place)),
        "textbook expressions": synchronised(lambda: textbook(g, a, e)),
        "TorchJD UPGrad": synchronised(lambda: upgrad(both)),
    }


def jax_runs() -> dict[str, Run]:
    jax: Any = import_module("jax")
    step = import_module("bloop_jax").step
    vectors = [jax.random.normal(key, (ENTRIES,)) for key in jax.random.split(jax.random.key(0), 3)]

    def repeated(function: Callable[..., Any], donated: tuple[int, ...]) -> Run:
        compiled = jax.jit(function, donate_argnums=donated)
        state = [vectors[0], *map(jax.numpy.copy, vectors[1:])]

        def run() -> None:
            for _ in range(STEPS):
                state[1:] = compiled(*state)
            jax.block_until_ready(state)

        return run

    def ours(g: Any, a: Any, e: Any) -> Any:
        return step(g, a, e, lam=LAM, rho=RHO)

    copy = jax.jit(jax.numpy.copy)

    def copies() -> None:
        for _ in range(STEPS):
            copied = copy(vectors[0])
        jax.block_until_ready(copied)

    return {
        "copy": copies,
        "bloop_jax, donated": repeated(ours, (1, 2)),
        "textbook expressions, compiled, donated": repeated(textbook, (1, 2)),
    }


def cupy_runs() -> dict[str, Run]:
    cp: Any = import_module("cupy")
    step = import_module("bloop_cupy").step
    generator = cp.random.default_rng(0)
    g, a, e = (generator.standard_normal(ENTRIES, dtype=cp.float32) for _ in range(3))
    target = cp.empty_like(g)

    def synchronised(function: Callable[[], object]) -> Run:
        def run() -> None:
            for _ in range(STEPS):
                function()
            cp.cuda.Device().synchronize()

        return run

    return {
        "copy": synchronised(lambda: cp.copyto(target, g)),
        "bloop_cupy, in place": synchronised(lambda: step(g, a, e, lam=LAM, rho=RHO, inplace=True)),
        "textbook expressions": synchronised(lambda: textbook(g, a, e)),
    }


RUNS = {"torch": torch_runs, "jax": jax_runs, "cupy": cupy_runs}


def measure(runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """Return the median seconds of one call, all in turn in every round."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            seconds[name].append((time.perf_counter() - started) / STEPS)
    return {name: statistics.median(times) for name, times in seconds.items()}


def main() -> None:
    """Measure every framework that has a GPU here, and say why of the others."""
    parser = argparse.ArgumentParser(description="Speed of a step on the GPU.")
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    console = Console()
    for framework in FRAMEWORKS:
        if reason := missing(framework):
            console.print(f"{framework}: not measured, {reason}")
            continue
        medians = measure(RUNS[framework](), rounds)
        limit = 7 / 2 * medians["copy"]  # a copy moves 2 n floats
        table = Table(title=f"{framework}, {ENTRIES} float32 entries", title_justify="left")
        for column in ("contestant", "ms", "x limit"):
            table.add_column(column)
        for name, median in medians.items():
            table.add_row(name, f"{median * 1e3:.3f}", f"{median / limit:.2f}")
        console.print(table)


if __name__ == "__main__":
    main()
