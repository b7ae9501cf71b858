"""A report on one screen."""

import textwrap
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bloop_proofs.report import Report, Result

MOST_LAWS, MOST_LINES, MOST_CHARACTERS = 5, 16, 110
"""What fits on one screen: broken laws, lines of a counterexample, characters of a message."""


def show(report: Report, console: Console, *, verbose: bool = False, stopped: bool = False) -> None:
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
    verdict = "STOPPED" if stopped else "PASSED" if report.passed else "FAILED"
    said = f"{report.verdict}: " if report.domain and not stopped else ""
    console.print(f"[bold]{verdict}[/bold]: {said}{counts}")


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
    alike: dict[tuple[str, str], list[str]] = {}
    for result in report.results:
        if result.status in ("skipped", "xfailed") and result not in report.outside:
            alike.setdefault((result.status, result.message), []).append(result.law)
    for (status, message), laws in alike.items():
        line = textwrap.shorten(message, MOST_CHARACTERS, placeholder=" ...")
        for names in (
            laws if len(laws) <= MOST_LAWS else [f"{len(laws)} laws, {laws[0]} and others"]
        ):
            console.print(f"{status}: {names}: {line}", markup=False)


def _show_counterexample(result: Result, console: Console, *, most: int | None) -> None:
    lines = result.counterexample.splitlines()
    console.print("\n".join(lines[:most]), markup=False, highlight=False, soft_wrap=True)
    if most is not None and len(lines) > most:
        console.print("... (--verbose prints all of it)")


def _show_diagnosis(report: Report, console: Console) -> None:
    for rank, entry in enumerate(report.diagnosis[:3]):
        console.print(f"{'or ' * (rank > 0)}{entry}", markup=False)
    if report.reading:
        console.print(f"on one input: {report.reading}", markup=False)
