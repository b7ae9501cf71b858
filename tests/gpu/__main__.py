"""``python -m tests.gpu [REPORT]``: the tests and the benchmark on a GPU, and one report of both.

It takes less than 8 minutes; what there was no time for, the report says. Without a GPU it says so
and exits with 2; with a failed test it exits with 1.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.gpu.devices import FRAMEWORKS, ON_CPU, missing

TESTS_UNTIL, ALL_UNTIL = 270.0, 450.0
"""After how many seconds no further test, and no further measurement, is begun."""

PACKAGES = (
    "bloop-ref",
    "numpy",
    "torch",
    "triton",
    "jax",
    "jaxlib",
    "optax",
    "torchjd",
    "cupy-cuda12x",
)


KINDS = ("passed", "failed", "skipped")


@dataclass(eq=False)  # pytest keeps its plugins in sets
class Outcomes:
    """A plugin of pytest that counts outcomes and moves a progress bar."""

    progress: Progress
    until: float
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    failures: list[dict[str, str]] = field(default_factory=list)
    skips: dict[str, int] = field(default_factory=dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put last what takes long to compile."""
        items.sort(key=lambda item: "jax" in item.nodeid)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Set the length of the bar."""
        self.task = self.progress.add_task("tests", total=len(session.items))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once: where it was called, or where it did not come to that."""
        if report.when == "call" or report.outcome != "passed":
            self.counts[report.outcome] += 1
        if report.failed:
            self.failures.append({"test": report.nodeid, "error": report.longreprtext[-2000:]})
        if report.skipped and isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            self.skips[reason] = self.skips.get(reason, 0) + 1
        if report.when == "teardown":
            self.progress.advance(self.task)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a file that cannot be read as a failure."""
        if report.failed:
            self.counts["failed"] += 1
            self.failures.append({"test": report.nodeid, "error": report.longreprtext[-2000:]})

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin no test when the time is up."""
        if time.monotonic() > self.until:
            pytest.skip("the time was up")


def run_tests(progress: Progress, until: float) -> dict[str, Any]:
    """Run the tests of this folder; return their outcomes."""
    outcomes = Outcomes(progress, until)
    started = time.monotonic()
    folder = str(Path(__file__).parent)
    quiet = ["-p", "no:terminal", "-p", "no:cacheprovider", "-n0", "--timeout=120"]
    status = pytest.main([*quiet, folder], plugins=[outcomes])
    return {
        **outcomes.counts,
        "status": pytest.ExitCode(status).name,
        "seconds": round(time.monotonic() - started, 1),
        "skips": outcomes.skips,
        "failures": outcomes.failures,
    }


def run_benchmark(progress: Progress, until: float) -> list[dict[str, Any]]:
    """Measure every framework that has a GPU; return the rows of the table."""
    bench = import_module("tests.gpu.bench")
    cases = [(name, size) for name in FRAMEWORKS if not missing(name) for size in bench.SIZES]
    task = progress.add_task("benchmark", total=len(cases))
    found: list[dict[str, Any]] = []
    for framework, workload in cases:
        try:
            found += map(asdict, bench.measure(framework, workload, until))
        except Exception as error:  # a report with a gap is better than none
            found.append({"framework": framework, "workload": workload, "note": repr(error)[:300]})
        progress.advance(task)
    return found


def machine() -> dict[str, Any]:
    """Describe the machine and what is installed."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        gpu = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        gpu = "unknown"
    cupy = metadata.packages_distributions().get("cupy", [])
    return {
        "gpu": "none: the tests ran on the CPU" if ON_CPU else gpu,
        "processors": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d"),
        "frameworks": {name: missing(name) or "measured" for name in FRAMEWORKS},
        "versions": {name: found for name in (*PACKAGES, *cupy) if (found := version(name))},
    }


def version(package: str) -> str:
    """Return the version of a package; nothing where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def show(console: Console, report: dict[str, Any]) -> None:
    """Print the outcome of the tests and the table."""
    tests = report["tests"]
    console.print(", ".join(f"{tests[kind]} {kind}" for kind in KINDS))
    for failure in tests["failures"]:
        console.print(f"failed: {failure['test']}", markup=False, soft_wrap=True)
    table = Table("framework", "workload", "contestant", "ms", "x limit", "note")
    for row in report["benchmark"]:
        cells = [row.get(key) for key in ("framework", "workload", "contestant")]
        numbers = [row.get(key) for key in ("milliseconds", "x_limit", "note")]
        table.add_row(*("" if x is None else str(x) for x in (*cells, *numbers)))
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both parts and write the report; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("report", nargs="?", type=Path, default=Path("gpu-report.json"))
    parser.add_argument("--tests-only", action="store_true", help="leave out the benchmark")
    options = parser.parse_args(arguments)
    console = Console()
    # otherwise JAX takes most of the memory, and the other frameworks find none
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if all(missing(framework) for framework in FRAMEWORKS):
        reasons = "; ".join(f"{name}: {missing(name)}" for name in FRAMEWORKS)
        console.print(f"Nothing was run, for want of a GPU ({reasons}).")
        return 2
    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        tests = run_tests(progress, started + TESTS_UNTIL)
        skipped = options.tests_only
        table = [] if skipped else run_benchmark(progress, started + ALL_UNTIL)
    report = {"machine": machine(), "tests": tests, "benchmark": table}
    options.report.write_text(json.dumps(report, indent=2) + "\n")
    show(console, report)
    console.print(f"Written to {options.report}.")
    return 1 if tests["failed"] or not tests["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
