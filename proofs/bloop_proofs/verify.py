"""``bloop-ref verify``: the suite on the command line."""

import argparse
import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bloop_proofs import vectors
from bloop_proofs.catalogue import explained, listed
from bloop_proofs.files import check_writable, write_atomically
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.junit import to_junit
from bloop_proofs.law import laws_named
from bloop_proofs.methods import METHODS, method_named
from bloop_proofs.report import Report, Result
from bloop_proofs.runner import check_implementation
from bloop_proofs.source import load
from bloop_proofs.subject import ProtocolError

MOST_LAWS, MOST_LINES, MOST_CHARACTERS = 5, 16, 110
"""What fits on one screen: broken laws, lines of a counterexample, characters of a message."""


class CallError(ValueError):
    """The command line asks for something that cannot be done; the message is one line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``bloop-ref verify``."""
    parser.add_argument(
        "subject",
        nargs="?",
        metavar="MODULE_OR_FILE:CALLABLE",
        help="step(g_main, g_aux, ema, *, lam, rho) -> (direction, new_ema); see --method",
    )
    parser.add_argument(
        "--method",
        default="bloop",
        metavar="METHOD",
        help=f"bloop (the default) or {', '.join(list(METHODS)[1:])}",
    )
    parser.add_argument("--vectors", metavar="FILE", help="judge outputs for golden vectors")
    parser.add_argument("--framework", choices=FRAMEWORKS, default="numpy")
    parser.add_argument(
        "--laws", default="all", metavar="LAWS", help="paper, numerics, all, or names with commas"
    )
    parser.add_argument("--examples", type=int, default=100, metavar="N", help="inputs per law")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="where drawing starts")
    parser.add_argument(
        "--assume", default="", metavar="WHAT", help="inputs that it is for: real,float32,rho<1,..."
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the whole report there")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write it there as JUnit XML")
    parser.add_argument(
        "--expected-failures", type=Path, metavar="FILE", help='JSON: {"law": "reason", ...}'
    )
    parser.add_argument(
        "--list", action="store_true", help="print the methods, and the laws and mistakes of one"
    )
    parser.add_argument(
        "--explain", metavar="LAW", help="print why a law matters and what breaks it"
    )
    parser.add_argument("--verbose", action="store_true", help="print every law and counterexample")


def run(args: argparse.Namespace) -> int:
    """Judge a subject; return 0 if all laws hold, 1 if one is broken, 2 if the call is wrong."""
    try:
        if args.list or args.explain:
            print(explained(args.explain, args.method) if args.explain else listed(args.method))
            return 0
        for path in filter(None, (args.json, args.junit)):
            check_writable(path)
        report = _judge(args)
    except (ValueError, ProtocolError, OSError) as error:
        print(f"bloop-ref verify: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    if args.json:
        write_atomically(args.json, report.to_json() + "\n")
    if args.junit:
        write_atomically(args.junit, to_junit(report))
    show(report, Console(), verbose=args.verbose)
    return 0 if report.passed else 1


def _judge(args: argparse.Namespace) -> Report:
    if bool(args.subject) == bool(args.vectors):
        raise CallError("give either MODULE_OR_FILE:CALLABLE or --vectors FILE")
    if args.vectors and args.assume:
        raise CallError("golden vectors are judged as they are: give no --assume with --vectors")
    if args.vectors and args.method != "bloop":
        raise CallError("golden vectors are Bloop's: give no --method with --vectors")
    if args.vectors:
        return vectors.judge(args.vectors)
    catalogue = method_named(args.method).laws
    chosen = args.laws if args.laws in ("all", "paper", "numerics") else args.laws.split(",")
    reasons = _reasons(args.expected_failures) if args.expected_failures else {}
    step = load(args.subject)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        task = progress.add_task("laws", total=len(laws_named(chosen, catalogue)))

        def advance(result: Result) -> None:
            progress.update(task, advance=1, description=result.law)

        return check_implementation(
            step,
            method=args.method,
            framework=args.framework,
            laws=chosen,
            examples=args.examples,
            seed=args.seed,
            expected_failures=reasons,
            assume=args.assume,
            progress=advance,
        )


def _reasons(path: Path) -> Mapping[str, str]:
    try:
        reasons = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise CallError(f"{path} must be JSON: {error}") from error
    if not isinstance(reasons, dict) or not all(isinstance(r, str) for r in reasons.values()):
        raise CallError(f'{path} must be a JSON object {{"law": "reason", ...}}')
    return reasons


def show(report: Report, console: Console, *, verbose: bool = False) -> None:
    """Print a report: a table, the diagnosis and the first counterexample, on one screen."""
    broken = report.broken
    method = f"{report.method}, " if report.method != "bloop" else ""
    head = f"{report.subject} ({method}{report.framework}, seed {report.seed})"
    console.print(head, markup=False)
    if verbose:
        console.print(_table(report.results))
    elif broken:
        console.print(_table(broken[:MOST_LAWS]))
    else:
        console.print(_summary(report))
    if not verbose:
        if len(broken) > MOST_LAWS:
            console.print(f"and {len(broken) - MOST_LAWS} more broken laws (--verbose lists them)")
        _show_exceptions(report, console)
    _show_diagnosis(report, console)
    for result in broken if verbose else broken[:1]:
        _show_counterexample(result, console, most=None if verbose else MOST_LINES)
    counts = ", ".join(f"{count} {status}" for status, count in report.count().items())
    verdict = f"{report.verdict}: " if report.domain else ""
    console.print(f"[bold]{'PASSED' if report.passed else 'FAILED'}[/bold]: {verdict}{counts}")


def _table(results: Sequence[Result]) -> Table:
    """Return a table with a row per law: its verdict, its name and equation, what was found."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("verdict", no_wrap=True)
    table.add_column("law, and what was found", overflow="fold")
    for result in results:
        found = textwrap.shorten(result.message, MOST_CHARACTERS, placeholder=" ...")
        # not markup: arrays that were found print with brackets
        cell = Text(f"{result.law} ({result.equation})\n{found}".rstrip())
        table.add_row(_verdict(result), cell)
    return table


def _summary(report: Report) -> Table:
    """Return a table with a row per equation, for a report without a broken law."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("equation")
    table.add_column("laws", justify="right")
    table.add_column("verdict")
    groups: dict[str, list[Result]] = {}
    for result in report.results:
        groups.setdefault(result.equation, []).append(result)
    for equation, results in groups.items():
        verdicts = dict.fromkeys(map(_verdict, results))
        table.add_row(equation, str(len(results)), " ".join(verdicts))
    return table


def _verdict(result: Result) -> str:
    colours = {"passed": "green", "failed": "red", "xpassed": "red"}
    colour = colours.get(result.status, "yellow")
    return f"[{colour}]{result.status}[/{colour}]"


def _show_exceptions(report: Report, console: Console) -> None:
    """Print the laws that were not judged, and those whose failure was expected, with reasons."""
    if report.outside:
        outside = len(report.outside)
        line = f"laws about other inputs than {report.domain}: {outside} (--verbose lists them)"
        console.print(f"skipped: {line}", markup=False)
    for result in report.results:
        if result.status in ("skipped", "xfailed") and result not in report.outside:
            line = textwrap.shorten(result.message, MOST_CHARACTERS, placeholder=" ...")
            console.print(f"{result.status}: {result.law}: {line}", markup=False)


def _show_counterexample(result: Result, console: Console, *, most: int | None) -> None:
    lines = result.counterexample.splitlines()
    console.print("\n".join(lines[:most]), markup=False, highlight=False, soft_wrap=True)
    if most is not None and len(lines) > most:
        console.print("... (--verbose prints all of it)")


def _show_diagnosis(report: Report, console: Console) -> None:
    for rank, entry in enumerate(report.diagnosis[:3]):
        lead = "The outputs are those of a known mistake" if rank == 0 else "or of"
        console.print(f"{lead}: {entry.name} ({entry.where}). {entry.mend}", markup=False)
