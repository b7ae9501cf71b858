"""Made-up rows, for the verdicts that a claim can come to."""

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure

from bloop_reproduction.claim import Claim, Row
from bloop_reproduction.figures import picture

SEEDS = range(5)
LAMS = (0.1, 1.0, 10.0)


def row(setting: Mapping[str, Any], **measured: Any) -> Row:
    return Row(setting, measured, 1.0)


def fronts_of(name: str, factors: Mapping[Any, float], noise: float = 0.01) -> list[Row]:
    """Fronts main = factor / aux, a factor for each value of a setting; seeds scatter around it."""
    return [
        row(
            {name: value, "lam": lam, "seed": seed},
            main=factor * lam * (1 + noise * seed),
            aux=1 / lam,
            cosine=0.0,
        )
        for value, factor in factors.items()
        for seed in SEEDS
        for lam in LAMS
    ]


def verdicts(claim: Claim, several: Iterable[list[Row]]) -> list[str]:
    return [claim.read(rows).verdict for rows in several]


def drawn(claim: Claim, rows: list[Row]) -> str:
    """What the claim draws, as SVG."""

    def draw(figure: Figure) -> None:
        claim.draw(figure, rows)

    return picture(draw, claim.size, "svg").decode()
