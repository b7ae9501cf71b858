"""The pages of the documentation that report on claims: their regions, made of the records."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bloop_proofs.files import check_writable
from bloop_reproduction.claims import NAMES, load, stem
from bloop_reproduction.report import Reported, reported, shown
from bloop_reproduction.results import Results

BEGIN, END = "<!-- made by bloop-ref reproduce -->\n", "<!-- end -->\n"
INDEX = "index.md"


class Page(NamedTuple):
    """A page with a region: the text before it and after it."""

    path: Path
    before: str
    after: str

    def text(self, results: Results) -> str:
        """Return the page, its region made of the records; as it is where they are not all there.

        Raises:
            OSError: the page cannot be read.
        """
        names = [name for name in NAMES if stem(name) == self.path.stem]
        reports = [report for report in recorded(results) if report.claim.name in names]
        if names and not reports:
            return self.path.read_text(encoding="utf-8")
        region = _finding(reports[0], results) if names else _table(results)
        return f"{self.before}{BEGIN}\n{region}\n{END}{self.after}"


def pages(folder: Path) -> list[Page]:
    """Return the index in a folder, and the pages of claims that are there.

    Raises:
        ValueError, OSError: a page has no region, or cannot be read or written; no index.
    """
    paths = [folder / f"{stem(name)}.md" for name in NAMES]
    found = []
    for path in (folder / INDEX, *filter(Path.exists, paths)):
        check_writable(path)
        text = path.read_text(encoding="utf-8")
        if text.count(BEGIN) != 1 or text.count(END) != 1:
            raise ValueError(f"{path} must have one region, {BEGIN.strip()} to {END.strip()}")
        found.append(Page(path, text.split(BEGIN)[0], text.split(END)[1]))
    return found


def recorded(results: Results) -> Iterator[Reported]:
    """Yield the claims whose runs, not those of ``--quick``, are all recorded."""
    for name in NAMES:
        claim = load(name)
        if all(results.of(name, claim.settings(False))):
            yield reported(claim, results)


def _table(results: Results) -> str:
    """Return a row for each claim that is recorded."""
    head = ["where", "claim or question", "what was measured", "verdict", "figure", "command"]
    lines = [head, ["---"] * len(head)]
    for claim, rows, finding in recorded(results):
        number, name = finding.numbers[0], stem(claim.name)
        reason = f": {finding.reason}" if finding.reason else ""
        seconds = sum(row.seconds for row in rows)
        lines.append(
            [
                f"[{claim.where}]({name}.md)",
                claim.says,
                f"{number.name}: {shown(number)}",
                f"**{finding.verdict}**{reason}",
                f"[figure](images/{name}.svg)",
                f"`bloop-ref reproduce {claim.name}`, {seconds:.0f} s",
            ]
        )
    return "".join(map(_line, lines))


def _line(cells: Sequence[str]) -> str:
    """Return a line of a table; a bar in a cell, as of a norm, ends no cell."""
    escaped = (cell.replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |\n"


def _finding(report: Reported, results: Results) -> str:
    """Return a claim's figure, what it says, the verdict, and every number."""
    claim, rows, finding = report
    records = [record for record in results.of(claim.name, claim.settings(False)) if record]
    record = records[-1]
    versions = ", ".join(f"{name} {each}" for name, each in record.environment["versions"].items())
    machine = record.environment["machine"]
    numbers = "".join(_line([n.name, shown(n)]) for n in finding.numbers)
    reason = f" {finding.reason[:1].upper()}{finding.reason[1:]}." if finding.reason else ""
    seconds = sum(row.seconds for row in rows)
    return (
        f"![{claim.where}, as measured here](images/{stem(claim.name)}.svg)\n\n"
        f"**Claim or question:** {claim.says}\n\n"
        f"**Here:** {finding.verdict}.{reason}\n\n"
        f"| measured | value [95% interval] |\n|---|---|\n{numbers}\n"
        f"{len(rows)} runs, {seconds:.0f} s on one core in all, on {record.date}, with {versions}; "
        f"{machine['cores']} cores, {machine['processor']}, {machine['system']}.\n"
    )
