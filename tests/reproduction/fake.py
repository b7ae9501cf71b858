"""A claim of three runs that take no time, in place of a claim of the paper."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from bloop_reproduction.claim import Claim, Finding, Measured, Row, Setting
from bloop_reproduction.statistics import interval

CALLS: list[int] = []
"""The seeds of the runs that were made."""
STOPS: list[int] = []
"""The seeds whose runs are interrupted."""


def settings(quick: bool) -> list[Setting]:
    return [{"seed": seed, "quick": quick} for seed in range(1 if quick else 3)]


def measure(setting: Setting) -> Measured:
    if setting["seed"] in STOPS:
        raise KeyboardInterrupt
    CALLS.append(setting["seed"])
    return {"x": 1.0 + setting["seed"], "diverged": [float("inf")]}


def read(rows: Sequence[Row]) -> Finding:
    number = interval("x", [row.measured["x"] for row in rows])
    return Finding("in part", (number,), "a miniature")


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    figure.subplots().plot([row.measured["x"] for row in rows])


CLAIM = Claim("figure-2", "Figure 0", "|x| is 1, 2 and 3.", settings, measure, read, draw)
"""By a name that the catalogue has, so that a results file may."""
