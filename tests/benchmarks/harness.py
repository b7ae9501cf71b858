"""Speed of a Bloop step as a ratio to the limit kernel, all contestants interleaved in one process.

``python -m tests.benchmarks.bench_numpy`` (``bench_jax``, ``bench_torch``) prints the tables. The
limit (``limit.c``) does the same step in two passes, 7 n floats of traffic, with as many threads.
"""

import argparse
import ctypes
import gc
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from tests.benchmarks.workloads import WORKLOADS, Leaves, gradients

LAM, RHO = 0.5, 0.01
Run = Callable[[], object]


@dataclass(frozen=True)
class Contestant:
    """A step under test.

    ``prepare(g_main, g_aux, ema)``, or as many gradients as a method has losses, takes NumPy leaves
    of its own and returns a function that takes one step and waits for it. ``allocated`` returns,
    for the same leaves, the floats per entry that a step allocates, its results included, where the
    framework counts them better than the growth of the process does.
    """

    name: str
    prepare: Callable[..., Run]
    allocated: Callable[..., float] | None = None


def limit() -> Contestant:
    """Return the hand-written kernel, compiled for this machine, in place on one long vector."""
    source = Path(__file__).with_name("limit.c")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "limit.so"
        flags = ["-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC"]
        subprocess.run(["cc", *flags, str(source), "-o", str(library)], check=True)
        kernel = ctypes.CDLL(str(library)).limit_step
    kernel.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_int64] + [ctypes.c_float] * 2
    kernel.restype = None

    def prepare(*vectors: Leaves) -> Run:
        g, a, e = (np.concatenate([x.ravel() for x in v]) for v in (*vectors, *vectors)[:3])

        def run() -> object:
            kernel(g.ctypes.data, a.ctypes.data, e.ctypes.data, a.ctypes.data, g.size, LAM, RHO)
            return g, a, e  # alive while the kernel runs

        return run

    return Contestant("limit kernel", prepare, lambda *_: 0.0)


@dataclass(frozen=True)
class Row:
    """What was measured: median seconds, their ratio to the limit's, floats allocated per entry."""

    name: str
    seconds: float
    ratio: float
    allocated: float


def measure(
    contestants: Sequence[Contestant],
    shapes: Sequence[tuple[int, ...]],
    rounds: int,
    kind: str,
    vectors: int = 3,
) -> list[Row]:
    """Return medians over rounds; in each round every contestant takes one step, in turn.

    The first contestant is the limit. A ratio is the median of the rounds' own ratios, so that a
    slow spell of the machine falls on both sides. ``kind`` is the heap's, ``warm`` or ``fresh``.
    """
    runs, memory = [], []
    with heap("fresh"):  # blocks that a warm heap hands out again would go unseen
        for contestant in contestants:
            leaves = [gradients(shapes, seed) for seed in range(vectors)]
            counted = contestant.allocated(*leaves) if contestant.allocated else None
            run = contestant.prepare(*leaves)
            run()
            entries = sum(leaf.size for leaf in leaves[0])
            memory.append(growth(run) / 4 / entries if counted is None else counted)
            runs.append(run)
    seconds = interleaved(runs, rounds, kind, time.perf_counter)
    return [
        Row(
            contestant.name,
            statistics.median(times),
            statistics.median(t / s for t, s in zip(times, seconds[0], strict=True)),
            allocated,
        )
        for contestant, times, allocated in zip(contestants, seconds, memory, strict=True)
    ]


def interleaved(
    runs: Sequence[Run], rounds: int, kind: str, clock: Callable[[], float]
) -> list[list[float]]:
    """Return for each contestant its seconds in every round, in which all take turns."""
    seconds: list[list[float]] = [[] for _ in runs]
    gc.collect()
    with heap(kind):
        for _ in range(rounds):
            for run, times in zip(runs, seconds, strict=True):
                run()  # what ran before has emptied the cache and woken other threads
                started = clock()
                run()
                times.append(clock() - started)
    return seconds


def growth(run: Run) -> float:
    """Return by how many bytes the resident memory of the process grows at most during a step."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _status("VmRSS")
    kept = run()
    peak = _status("VmHWM")
    del kept
    return max(0.0, peak - before)


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"{field}:"))
    return 1024 * float(line.split()[1])


@contextmanager
def heap(kind: str) -> Iterator[None]:
    """Let freed memory stay with the process (``warm``), or return large blocks (``fresh``).

    A fresh block costs a page fault for every page that is written first.
    """
    libc = ctypes.CDLL(None)
    trim_threshold, map_threshold, most_maps = -1, -3, -4

    def let_blocks_come(*, from_system: bool) -> None:
        # left alone, the threshold grows with the blocks that are freed
        libc.mallopt(map_threshold, 1 << 17)
        libc.mallopt(most_maps, 1 << 16 if from_system else 0)
        libc.mallopt(trim_threshold, 1 << 17 if from_system else 2**31 - 1)

    let_blocks_come(from_system=kind == "fresh")
    try:
        yield
    finally:
        let_blocks_come(from_system=True)
        libc.malloc_trim(0)


def machine() -> str:
    """Describe the machine in one line."""
    info = Path("/proc/cpuinfo")
    models = [x for x in info.read_text().splitlines() if x.startswith("model name")]
    model = models[0].split(":")[1].strip() if models else platform.machine()
    threads = os.environ.get("OMP_NUM_THREADS", str(os.cpu_count()))
    return f"{model}, {os.cpu_count()} cores, {threads} threads, {time.strftime('%Y-%m-%d')}"


def main(title: str, contestants: Sequence[Contestant]) -> None:
    """Measure every workload, with a warm heap and a fresh one, and print the tables."""
    parser, console = _parser(title), Console(width=98)
    parser.add_argument("--workload", choices=WORKLOADS, action="append")
    args = _parsed(parser)
    console.print(f"{title}: {machine()}, medians of {args.rounds} rounds\n")
    for kind in args.heap or ("warm", "fresh"):
        for workload in args.workload or WORKLOADS:
            rows = measure([limit(), *contestants], WORKLOADS[workload], args.rounds, kind)
            console.print(table(f"{workload}, {kind} heap", rows))


class Case(NamedTuple):
    """Contestants that take so many gradients, and move so many floats per entry."""

    vectors: int
    floats: int
    contestants: Sequence[Contestant]


def main_of_many(title: str, cases: Mapping[str, Case]) -> None:
    """Measure cases against the time in which the limit kernel would move as many floats."""
    parser, console = _parser(title), Console(width=98)
    parser.add_argument("--case", choices=cases, action="append")
    args = _parsed(parser)
    console.print(f"{title}: {machine()}, medians of {args.rounds} rounds, 25.6M entries\n")
    for kind in args.heap or ("warm", "fresh"):
        for case in args.case or cases:
            vectors, floats, contestants = cases[case]
            shapes = WORKLOADS["25.6M flat"]
            rows = measure([limit(), *contestants], shapes, args.rounds, kind, vectors)
            scaled = [replace(row, ratio=row.ratio * 7 / floats) for row in rows]
            title = f"{case}: {floats} n floats, {kind} heap"
            console.print(table(title, scaled, first="x own traffic"))


def _parser(title: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=f"Speed of {title}.")
    parser.add_argument("--rounds", type=int, default=9, help="rounds per workload, 9 or more")
    parser.add_argument("--heap", choices=("warm", "fresh"), action="append")
    return parser


def _parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    args = parser.parse_args()
    if args.rounds < 9:
        parser.error("--rounds must be at least 9")
    return args


def table(title: str, rows: Sequence[Row], *, first: str = "x limit") -> Table:
    """Return measurements as a table; ratios are to the first contestant's time."""
    result = Table(title, box=box.MARKDOWN)
    for column in ("ms", first, "allocated / n"):
        result.add_column(column, justify="right")
    for row in rows:
        cells = f"{row.seconds * 1e3:.2f}", f"{row.ratio:.2f}", f"{row.allocated:.2f}"
        result.add_row(row.name, *cells)
    return result
