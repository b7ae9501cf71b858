"""How long the conformance suite takes: ``python tests/benchmarks/bench_verify.py``.

Prints Markdown, which docs/performance.md quotes: the machine, the time of a whole run at several
numbers of examples, and the time until the first broken law for every catalogued mistake.
"""

import argparse
import platform
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bloop_proofs import LAWS, Result, check_implementation, load
from bloop_proofs.methods import BLOOP
from bloop_proofs.mistakes.mistake import Mistake
from bloop_proofs.subject import Step
from tests.benchmarks.harness import machine

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "my_bloop.py"
EXAMPLES = (25, 50, 100, 200, 400)
TARGETS = {"a whole run at 100 examples": 10.0, "the median mistake": 2.0}
"""Seconds."""


class FoundError(Exception):
    """A law is broken; the run need not go on."""


def run_seconds(step: Step, examples: int) -> float:
    """Return how long a right step takes to pass all laws."""
    begin = time.perf_counter()
    report = check_implementation(step, examples=examples)
    seconds = time.perf_counter() - begin
    if not report.passed:
        raise SystemExit(f"the example must pass; found:\n{report}")
    return seconds


def seconds_to_find(mistake: Mistake) -> float | None:
    """Return how long it takes until a law is found broken, its smallest input included."""

    def stop(result: Result) -> None:
        if result.broken:
            raise FoundError

    begin = time.perf_counter()
    try:
        check_implementation(mistake.step, progress=stop)
    except FoundError:
        return time.perf_counter() - begin
    print(f"no law finds {mistake.name}", file=sys.stderr)
    return None


def growth(repeats: int) -> tuple[Table, float]:
    """Return a table of times by number of examples, and the time at the default number."""
    step = load(f"{EXAMPLE}:step")
    run_seconds(step, 1)  # imports, caches
    times = [{n: run_seconds(step, n) for n in EXAMPLES} for _ in range(repeats)]
    medians = {n: statistics.median(row[n] for row in times) for n in EXAMPLES}
    table = Table("examples", "seconds", "milliseconds per example", box=box.MARKDOWN)
    for n, seconds in medians.items():
        table.add_row(f"{n}", f"{seconds:.2f}", f"{1000 * seconds / n:.1f}")
    return table, medians[100]


def finding() -> tuple[Table, float]:
    """Return a table of how fast mistakes are found, and the median time."""
    found = map(seconds_to_find, track(BLOOP.mistakes, "mistakes", console=Console(stderr=True)))
    seconds = sorted(time for time in found if time is not None)
    median = statistics.median(seconds)
    ninth = statistics.quantiles(seconds, n=10)[-1]
    times = (f"{value:.2f} s" for value in (median, ninth, seconds[-1]))
    table = Table("mistakes", "found", "median", "90% within", "slowest", box=box.MARKDOWN)
    table.add_row(str(len(BLOOP.mistakes)), str(len(seconds)), *times)
    return table, median


def main() -> None:
    """Measure, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("--repeats", type=int, default=3, help="runs per number of examples")
    repeats = parser.parse_args().repeats
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "hypothesis"))
    console = Console(width=98)
    print(f"{machine()}; Python {platform.python_version()}, {libraries}.\n")
    print(f"A right NumPy step passes {len(LAWS)} laws; medians of {repeats} runs:")
    table, whole = growth(repeats)
    console.print(table)
    print("Time until the first broken law, its smallest counterexample included:")
    table, median = finding()
    console.print(table)
    for (what, target), found in zip(TARGETS.items(), (whole, median), strict=True):
        verdict = "met" if found < target else "MISSED"
        print(f"- Target for {what}: under {target:g} s. Measured: {found:.2f} s, {verdict}.")


if __name__ == "__main__":
    main()
