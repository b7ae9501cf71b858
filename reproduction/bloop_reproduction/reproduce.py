"""``bloop-ref reproduce``: what the paper claims, measured, a claim a name."""

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from threadpoolctl import threadpool_limits

from bloop_proofs.files import check_writable, write_atomically
from bloop_reproduction.claim import Claim, Row, Setting
from bloop_reproduction.claims import NAMES, load, stem
from bloop_reproduction.figures import FORMATS, picture
from bloop_reproduction.pages import pages
from bloop_reproduction.processes import in_processes, watched
from bloop_reproduction.report import Reported, reported, table
from bloop_reproduction.results import Record, Results, environment, plain, restored
from bloop_reproduction.revision import revision

RESULTS, FIGURES = Path("bloop_reproduction.json"), Path("bloop_reproduction")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``bloop-ref reproduce``."""
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="claims, or all; --list prints them")
    add("--list", action="store_true", help="print every claim and what it says")
    add("--quick", action="store_true", help="miniatures, in seconds: a look at the output")
    add("--jobs", type=int, metavar="N", help="processes, one per core by default")
    add("--results", type=Path, default=RESULTS, metavar="FILE", help=f"{RESULTS} by default")
    add("--figures", type=Path, metavar="FOLDER", help=f"made if need be; {FIGURES} by default")
    add("--format", choices=FORMATS, default="svg", help="of the figures; svg by default")
    add("--report", action="store_true", help="of the results that are there; run nothing")
    add("--docs", type=Path, metavar="FOLDER", help="fill the pages there, and its images/")


def run(args: argparse.Namespace) -> int:
    """Run what is not recorded yet, then print the table and draw the figures.

    2 if the call is wrong or, for a report, runs are missing; 130 if it is interrupted.
    """
    try:
        if args.list:
            return _list()
        claims = [load(name) for name in _names(args.names)]
        jobs = (os.cpu_count() or 1) if args.jobs is None else args.jobs
        if jobs < 1:
            raise ValueError(f"--jobs must be at least 1; found {jobs}")
        if args.docs and (args.quick or args.format != "svg"):
            raise ValueError("--docs must stand without --quick and with svg: pages show full runs")
        figures = args.figures or (args.docs / "images" if args.docs else FIGURES)
        filled = pages(args.docs) if args.docs else []
        results = Results(args.results)
        _check_folder(figures)
        if not args.report:
            _run(claims, results, quick=args.quick, jobs=jobs)
        found = [reported(claim, results, quick=args.quick) for claim in claims]
    except (ValueError, OSError) as error:
        return _complain(str(error), 2)
    except KeyboardInterrupt:
        line = f"interrupted; {args.results} has the runs that are over: call again to go on"
        return _complain(line, 130)
    # files first: what is printed may find its reader gone
    _draw(found, figures, args.format)
    for page in filled:
        write_atomically(page.path, page.text(results))
    console = Console()
    console.print(table(found, quick=args.quick))
    console.print(f"figures: {figures}, runs: {args.results}", highlight=False, soft_wrap=True)
    return 0


def _list() -> int:
    console = Console(highlight=False)
    for name in NAMES:
        claim = load(name)
        console.print(f"[bold]{name}[/]  {claim.where}\n    {claim.says}")
    return 0


def _names(asked: Sequence[str]) -> list[str]:
    """Return the claims that are asked for, each once, in the paper's order."""
    for name in asked:
        if name not in (*NAMES, "all"):
            raise ValueError(f"NAME must be all or one of {', '.join(NAMES)}; found {name!r}")
    if not asked:
        raise ValueError(f"NAME must be given: all, or some of {', '.join(NAMES)}")
    return [name for name in NAMES if name in asked or "all" in asked]


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} must be a folder; found a file")
    check_writable((folder if folder.exists() else folder.parent) / "figure")


class Task(NamedTuple):
    """A run that is to be made."""

    name: str
    setting: Setting


def _run(claims: Sequence[Claim], results: Results, *, quick: bool, jobs: int) -> None:
    """Make and record the runs of which there is no record by the present code."""
    for claim in claims:
        if missing := [need for need in claim.needs if importlib.util.find_spec(need) is None]:
            raise ValueError(
                f'{claim.name} needs {missing[0]}, of the extra "reproduce": '
                'pip install "bloop-ref[reproduce]"'
            )
    revisions = {claim.name: revision(claim.measure) for claim in claims}
    tasks = []
    for claim in claims:
        settings = claim.settings(quick)
        for setting, record in zip(settings, results.of(claim.name, settings), strict=True):
            if record is None or not record.is_of(revisions[claim.name]):
                tasks.append(Task(claim.name, setting))
    here, what = environment(), f"{len(tasks)} runs"
    for task, row in watched(in_processes(measured, tasks, jobs=jobs), len(tasks), what):
        today = datetime.now(UTC).date().isoformat()
        results.add(Record(task.name, row, revisions[task.name], here, today))
    for claim in claims:
        results.keep(claim.name, [*claim.settings(True), *claim.settings(False)])


def measured(task: Task) -> tuple[Task, Row]:
    """Make a run, on one thread, and return its row as the results file would have it."""
    claim = load(task.name)
    start = time.perf_counter()
    with _one_thread(claim.needs):
        found = claim.measure(task.setting)
    seconds = time.perf_counter() - start
    return task, Row(plain(task.setting), restored(plain(found)), seconds)


@contextmanager
def _one_thread(needs: Sequence[str]) -> Iterator[None]:
    """Matrices as small as these are slower on several threads."""
    if "torch" not in needs:
        with threadpool_limits(limits=1):
            yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(before)


def _draw(found: Sequence[Reported], folder: Path, form: str) -> None:
    folder.mkdir(exist_ok=True)
    for claim, rows, _ in found:
        write_atomically(folder / f"{stem(claim.name)}.{form}", _drawn(claim, rows, form))


def _drawn(claim: Claim, rows: Sequence[Row], form: str) -> bytes:
    return picture(lambda figure: claim.draw(figure, rows), claim.size, form)


def _complain(line: str, status: int) -> int:
    print(f"bloop-ref reproduce: {' '.join(line.split())}", file=sys.stderr)
    return status
