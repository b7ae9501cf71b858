"""The tables and the figure of docs/every.md, from the results of ``every_fronts``."""

import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from tests.convergence.every_training import (
    BLOOP,
    EXACT,
    FULL_ONLY,
    LAMS,
    MIXED,
    SETTINGS,
    SHORTER,
    Result,
    Setting,
)

BEGIN, END = "<!-- made by every_fronts -->\n", "<!-- end -->\n"
AUXILIARY = {
    "lipschitz": "log Lipschitz bound",
    "reconstruction": "reconstruction error, same images",
    "two sets": "reconstruction error, photographs",
}
SHOWN = {"lipschitz": (0.3, 2.3), "reconstruction": (0.41, 0.49), "two sets": (0.064, 0.11)}
"""The auxiliary losses that the figure shows: beyond them the main loss is given up, or the
auxiliary one."""
STYLES: dict[Setting, dict[str, Any]] = {
    BLOOP: {"color": "#000000", "marker": "o", "linewidth": 2},
    MIXED: {"color": "#E69F00", "marker": "s", "linewidth": 2},
    SHORTER: {"color": "#000000", "marker": "o", "linestyle": ":"},
    Setting(2, 0.2): {"color": "#56B4E9", "marker": "^"},
    Setting(4, 0.2): {"color": "#0072B2", "marker": "v"},
    Setting(4, 1.0): {"color": "#0072B2", "marker": "v", "linestyle": ":"},
    Setting(16, 0.2): {"color": "#CC79A7", "marker": "D"},
    Setting(4, 0.2, FULL_ONLY): {"color": "#009E73", "marker": "P", "linestyle": "--"},
}
"""Colours that colour-blind readers tell apart (Okabe and Ito), and markers for the others."""


def label(setting: Setting) -> str:
    """Return how a setting is called."""
    if setting == MIXED:
        return "mixed"
    if setting == BLOOP:
        return "Bloop"
    if setting == SHORTER:
        return "Bloop, 5/8 of the steps"
    more = {EXACT: ", e of g_main", FULL_ONLY: ", e on full steps"}.get(setting.average, "")
    return f"m = {setting.every}, kappa = {setting.kappa:g}{more}"


def _of(results: Iterable[Result], problem: str, setting: Setting) -> list[Result]:
    return [r for r in results if (r.run.problem, r.run.setting) == (problem, setting)]


def means(results: Sequence[Result], problem: str, setting: Setting) -> dict[float, Any]:
    """Return by lam the means over the seeds of both losses, of residual and of cosine."""
    mine = _of(results, problem, setting)
    return {
        lam: np.mean(
            [(r.main, r.aux, r.residual, r.cosine) for r in mine if r.run.lam == lam], axis=0
        )
        for lam in LAMS[problem]
    }


def dominating(one: Sequence[Result], other: Sequence[Result]) -> int:
    """Count the results that are better in both losses than one of the others of their seed."""
    return sum(
        any(x.main < y.main and x.aux < y.aux for y in other if y.run.seed == x.run.seed)
        for x in one
    )


def tables(results: Sequence[Result]) -> str:
    """Return a table of both losses for each problem, and one of who is better than whom."""
    parts = [_losses(results, problem) for problem in LAMS]
    return "\n".join([*parts, _counts(results), _residuals(results)])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _losses(results: Sequence[Result], problem: str) -> str:
    head = [problem, "passes", *(f"lam = {lam:g}" for lam in LAMS[problem])]
    rows = []
    for setting in SETTINGS:
        cells = [f"{m[0]:.4f}, {m[1]:.3f}" for m in means(results, problem, setting).values()]
        rows.append([label(setting), _passes(setting), *cells])
    return _table(head, rows)


def _passes(setting: Setting) -> str:
    return f"{setting.passes:.4g}"


def _counts(results: Sequence[Result]) -> str:
    head = ["better in both losses than", *(f"Bloop, {p}" for p in LAMS)]
    rows = []
    for setting in SETTINGS:
        if setting == BLOOP:
            continue
        cells = []
        for problem in LAMS:
            mine, bloop = (_of(results, problem, s) for s in (setting, BLOOP))
            cells.append(f"{dominating(mine, bloop)}, {dominating(bloop, mine)} of {len(mine)}")
        rows.append([label(setting), *cells])
    return _table(head, rows)


def _residuals(results: Sequence[Result]) -> str:
    head = ["residual, cosine", *LAMS]
    rows = []
    for setting in SETTINGS:
        if setting.every < 2:
            continue
        cells = []
        for problem in LAMS:
            found = np.mean([*means(results, problem, setting).values()], axis=0)
            cells.append(f"{found[2]:.2f}, {found[3]:.2f}")
        rows.append([label(setting), *cells])
    return _table(head, rows)


def with_tables(text: str, results: Sequence[Result]) -> str:
    """Return a guide with its tables replaced by those of some results."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{tables(results)}\n{END}{after}"


def figure(results: Sequence[Result]) -> bytes:
    """Return the fronts as a PNG, one panel for each problem."""
    drawing = Figure(figsize=(13, 4.6), dpi=110, facecolor="white", layout="constrained")
    panels = drawing.subplots(1, len(LAMS))
    for axes, problem in zip(panels, LAMS, strict=True):
        _draw(axes, results, problem)
    handles, labels = panels[0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    file = io.BytesIO()
    FigureCanvasAgg(drawing)
    drawing.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _draw(axes: Axes, results: Sequence[Result], problem: str) -> None:
    least, most = SHOWN[problem]
    for setting, style in STYLES.items():
        points = [m[:2] for m in means(results, problem, setting).values()]
        inside = np.array([p for p in points if least <= p[1] <= most]).reshape(-1, 2)
        axes.plot(
            inside[:, 1],
            inside[:, 0],
            label=f"{label(setting)} ({_passes(setting)} passes)",
            markersize=5,
            **style,
        )
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(AUXILIARY[problem])
    axes.set_ylabel("train loss (cross-entropy)")
    axes.set_title(problem)
    axes.grid(which="both", color="#E5E5E5", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
