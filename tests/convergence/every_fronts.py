"""``python -m tests.convergence.every_fronts``: the fronts of steps with one backward pass.

Trains Bloop, mixed training and ``Bloop(every=m)`` over m, kappa and lam on the three problems of
``every_problems``, and writes every run's result, the tables and the figure of docs/every.md.
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bloop_proofs.files import write_atomically
from bloop_reproduction.processes import in_processes, watched
from tests.convergence.every_report import figure, tables, with_tables
from tests.convergence.every_training import Result, Run, Setting, grid, train

DOCS = Path(__file__).parents[2] / "docs"
RESULTS, FIGURE, GUIDE = DOCS / "every.json", DOCS / "images" / "every.png", DOCS / "every.md"
SEEDS, STEPS = 5, 1500
QUICK_SEEDS, QUICK_STEPS = 1, 60


def saved(results: Sequence[Result]) -> str:
    """Return results as JSON, a run a line."""
    lines = [json.dumps(asdict(result)) for result in results]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def loaded(path: Path = RESULTS) -> list[Result]:
    """Return the results of a file."""
    found = []
    for record in json.loads(path.read_text()):
        run = record.pop("run")
        setting = Setting(**run.pop("setting"))
        found.append(Result(Run(setting=setting, **run), **record))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Train with a progress bar; write results, figure and tables, or print them where quick."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a minute; prints, and writes nothing")
    parser.add_argument("--report", action="store_true", help="of the results that are there")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args(arguments)
    quick = options.quick
    results = loaded() if options.report else []
    if not options.report:
        runs = grid(seeds=QUICK_SEEDS if quick else SEEDS, steps=QUICK_STEPS if quick else STEPS)
        done = in_processes(train, runs, jobs=options.jobs)
        results = list(watched(done, len(runs), f"training {len(runs)} networks"))
        results.sort(key=lambda result: runs.index(result.run))
    if quick:
        print(tables(results))
        return
    write_atomically(RESULTS, saved(results))
    write_atomically(FIGURE, figure(results))
    write_atomically(GUIDE, with_tables(GUIDE.read_text(), results))


if __name__ == "__main__":
    main()
