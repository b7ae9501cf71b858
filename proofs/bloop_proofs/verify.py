"""``bloop-ref verify``: the suite on the command line."""

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bloop_proofs import vectors
from bloop_proofs.catalogue import explained, listed
from bloop_proofs.files import check_writable, write_atomically
from bloop_proofs.frameworks import FRAMEWORKS
from bloop_proofs.isolation import judge_apart
from bloop_proofs.junit import to_junit
from bloop_proofs.law import laws_named
from bloop_proofs.methods import METHODS, method_named
from bloop_proofs.report import Report, Result
from bloop_proofs.sarif import to_sarif
from bloop_proofs.screen import show
from bloop_proofs.serving import FAULT, Request, Stopped, reasons_in
from bloop_proofs.subject import ProtocolError

LEAST_COLUMNS = 20
"""A narrower screen has no room for a table."""

WRITERS: Mapping[str, Callable[[Report], str]] = MappingProxyType(
    {"json": lambda report: report.to_json() + "\n", "junit": to_junit, "sarif": to_sarif}
)
"""The forms in which the whole report is written to a file, by the options that ask for it."""


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
    parser.add_argument(
        "--timeout", type=float, default=60, metavar="SECONDS", help="for one call, 60 by default"
    )
    parser.add_argument(
        "--in-process", action="store_true", help="for a debugger: no process apart, no timeout"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the whole report there")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write it there as JUnit XML")
    parser.add_argument("--sarif", type=Path, metavar="FILE", help="write it there as SARIF 2.1.0")
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
    """Judge a subject; return its exit status.

    0 if all laws hold, 1 if one is broken, 2 if the call is wrong or nothing, or not all, can be
    judged, 130 if the judging is interrupted.
    """
    known: list[Result] = []
    try:
        if args.list or args.explain:
            text = explained(args.explain, args.method) if args.explain else listed(args.method)
            return _write(lambda: text + "\n")
        for name in WRITERS:
            if path := getattr(args, name):
                check_writable(path)
                setattr(args, name, path.absolute())  # a subject may change the directory
        report = _judge(args, known)
        for name, written in WRITERS.items():
            if path := getattr(args, name):
                write_atomically(path, written(report))
        return _print(report, args) or int(not report.passed)
    except (ValueError, ProtocolError, OSError) as error:
        return _complain(str(error), 2)
    except (Stopped, KeyboardInterrupt) as error:
        line, status = (str(error), 2) if isinstance(error, Stopped) else ("interrupted", 130)
        if known:
            head = (args.subject, args.framework, args.seed, args.examples)
            _print(Report(*head, tuple(known), method=args.method), args, stopped=True)
        return _complain(line, status)
    except Exception:
        traceback.print_exc()
        return _complain(FAULT, 2)


def _complain(line: str, status: int) -> int:
    with contextlib.suppress(AttributeError, OSError):  # closed, or full: the status still holds
        sys.stderr.write(f"bloop-ref verify: {' '.join(line.split())}\n")
    return status


def _print(report: Report, args: argparse.Namespace, *, stopped: bool = False) -> int:
    """Print a report; return 0, or 2 where standard output takes none."""

    def shown() -> str:
        console = _console()
        with console.capture() as text:
            show(report, console, verbose=args.verbose, stopped=stopped)
        return text.get()

    return _write(shown)


def _write(text: Callable[[], str]) -> int:
    """Write to standard output; return 0, or 2 where it takes nothing."""
    if sys.stdout is None:
        return _complain("the report cannot be printed: standard output is closed", 2)
    try:
        sys.stdout.write(text())
        sys.stdout.flush()
    except OSError as error:
        # the interpreter flushes once more as it ends, and would exit with a status of its own
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _complain(f"the report cannot be printed: {error}", 2)
    return 0


def _console(*, stderr: bool = False) -> Console:
    """Return a console, of 80 columns where COLUMNS says 0 or too few."""
    columns = os.environ.get("COLUMNS", "")
    narrow = columns.isdecimal() and int(columns) < LEAST_COLUMNS
    return Console(stderr=stderr, width=80 if narrow else None)


def _judge(args: argparse.Namespace, known: list[Result]) -> Report:
    """Judge what is asked for; add the results to those known as they come."""
    if bool(args.subject) == bool(args.vectors):
        raise CallError("give either MODULE_OR_FILE:CALLABLE or --vectors FILE")
    if args.vectors and args.assume:
        raise CallError("golden vectors are judged as they are: give no --assume with --vectors")
    if args.vectors and args.method != "bloop":
        raise CallError("outputs say what method they are of: give no --method with --vectors")
    if not args.timeout > 0:
        raise CallError(f"--timeout must be more than 0 seconds; found {args.timeout:g}")
    if args.vectors:
        return vectors.judge(args.vectors)
    chosen = args.laws if args.laws in ("all", "paper", "numerics") else args.laws.split(",")
    reasons = reasons_in(args.expected_failures) if args.expected_failures else {}
    options = (args.method, args.framework, chosen, args.examples, args.seed, reasons, args.assume)
    request = Request(args.subject, *options)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=_console(stderr=True),
        transient=True,
        disable=sys.stderr is None or not sys.stderr.isatty(),
    ) as progress:
        laws = laws_named(chosen, method_named(args.method).laws)
        task = progress.add_task("laws", total=len(laws))

        def advance(result: Result) -> None:
            known.append(result)
            progress.update(task, advance=1, description=result.law)

        if not args.in_process:
            return judge_apart(request, timeout=args.timeout, progress=advance)
        return request.judge_here(advance)
