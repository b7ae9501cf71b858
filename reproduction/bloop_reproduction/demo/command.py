"""``bloop-ref demo``: Bloop against its neighbours on handwritten digits, in a few minutes."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from bloop_proofs.files import check_writable, write_atomically
from bloop_reproduction.demo.plot import plot
from bloop_reproduction.demo.summary import finding, table
from bloop_reproduction.demo.sweep import grid, train_all
from bloop_reproduction.demo.training import Result
from bloop_reproduction.figures import form_of
from bloop_reproduction.processes import watched

LAMS = (0.03, 0.1, 0.3, 1.0, 3.0)
EPOCHS, SEEDS = 60, 3
QUICK_LAMS, QUICK_EPOCHS, QUICK_SEEDS = (0.1, 1.0), 2, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``bloop-ref demo``."""
    out = Path("bloop_demo.png")
    parser.add_argument(
        "--out", type=Path, default=out, metavar="FILE", help="plot: .png, .svg or .pdf"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run's results there")
    parser.add_argument("--epochs", type=int, metavar="N", help=f"per run, {EPOCHS} by default")
    parser.add_argument("--seeds", type=int, metavar="N", help=f"per setting, {SEEDS} by default")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes, one per core by default")
    parser.add_argument("--quick", action="store_true", help="a few seconds: a look at the output")


def run(args: argparse.Namespace) -> int:
    """Train, print the table and the finding, write the plot; 2 if the call is wrong."""
    lams = QUICK_LAMS if args.quick else LAMS
    epochs = (QUICK_EPOCHS if args.quick else EPOCHS) if args.epochs is None else args.epochs
    seeds = (QUICK_SEEDS if args.quick else SEEDS) if args.seeds is None else args.seeds
    jobs = (os.cpu_count() or 1) if args.jobs is None else args.jobs
    try:
        for name, value in (("epochs", epochs), ("seeds", seeds), ("jobs", jobs)):
            if value < 1:
                raise ValueError(f"--{name} must be at least 1; found {value}")
        form = form_of(args.out)
        if args.json:
            check_writable(args.json)
    except ValueError as error:
        print(f"bloop-ref demo: {error}", file=sys.stderr)
        return 2
    results = _trained(lams, seeds=seeds, epochs=epochs, jobs=jobs)
    console = Console()
    console.print(table(results))
    console.print(finding(results), highlight=False)
    write_atomically(args.out, plot(results, form))
    if args.json:
        records = [asdict(result) for result in results]
        write_atomically(args.json, json.dumps(records, indent=2) + "\n")
    console.print(f"plot: {args.out}", highlight=False, soft_wrap=True)
    return 0


def _trained(lams: Sequence[float], *, seeds: int, epochs: int, jobs: int) -> list[Result]:
    """Return the results of all runs, in the order of the grid, with a progress bar meanwhile."""
    runs = grid(lams, seeds=seeds, epochs=epochs)
    done = train_all(runs, jobs=jobs)
    results = list(watched(done, len(runs), f"training {len(runs)} networks"))
    return sorted(results, key=lambda result: runs.index(result.run))
