"""What the records of claims say: the table on the screen."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.table import Table

from bloop_reproduction.claim import Claim, Finding, Number, Row
from bloop_reproduction.results import Results


class Reported(NamedTuple):
    """A claim, all of its rows, and what they say."""

    claim: Claim
    rows: list[Row]
    finding: Finding


def reported(claim: Claim, results: Results, *, quick: bool = False) -> Reported:
    """Return what the records of a claim say.

    Raises:
        ValueError: not all of its runs are recorded.
    """
    settings = claim.settings(quick)
    rows = [record.row for record in results.of(claim.name, settings) if record]
    if len(rows) < len(settings):
        raise ValueError(
            f"{results.path} must have all {len(settings)} runs of {claim.name}; found {len(rows)}"
            f": bloop-ref reproduce {claim.name} makes the others"
        )
    return Reported(claim, rows, claim.read(rows))


def shown(number: Number) -> str:
    """Return a number, and its interval if there is chance in it.

    Example:
        >>> shown(Number("ratio", 3.14159, 3.0, 3.25)), shown(Number("steps", 17930, 17930, 17930))
        ('3.14 [3, 3.25]', '17930')
    """
    value, low, high = (f"{x:.0f}" if 1000 <= abs(x) < 1e6 else f"{x:.3g}" for x in number[1:])
    return value if number.low == number.value == number.high else f"{value} [{low}, {high}]"


def table(found: Sequence[Reported], *, quick: bool = False) -> Table:
    """Return the verdict of each claim, the number that it stands on, and what its runs took.

    Miniatures have no verdict: another seed could falsify it.
    """
    made = Table("claim", "verdict", "number [95% interval]")
    made.add_column("seconds", justify="right")
    if quick:
        made.caption = "miniatures, too few runs for a verdict or an interval"
    for claim, rows, finding in found:
        number = finding.numbers[0]
        seconds = sum(row.seconds for row in rows)
        verdict = "-" if quick else finding.verdict
        made.add_row(claim.name, verdict, f"{number.name}: {shown(number)}", f"{seconds:.1f}")
    return made
