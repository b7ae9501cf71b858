"""How figures look: one style for all, and files of the format that their ending says.

Okabe and Ito's colours, which colour-blind readers can tell apart; markers and line styles differ
too, so that a figure can be read in grey.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

from bloop_proofs.files import check_writable

INK, GREY, FAINT = "#222222", "#666666", "#e4e4e4"
FORMATS = ("svg", "pdf", "png")
DPI = 150

SERIES: tuple[Mapping[str, Any], ...] = (
    {"color": "#0072B2", "marker": "o", "linestyle": "-"},
    {"color": "#D55E00", "marker": "s", "linestyle": "--"},
    {"color": "#009E73", "marker": "^", "linestyle": "-."},
    {"color": "#CC79A7", "marker": "D", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
    {"color": "#E69F00", "marker": "v", "linestyle": (0, (1, 1))},
    {"color": "#56B4E9", "marker": "P", "linestyle": (0, (7, 2))},
    {"color": "#000000", "marker": "X", "linestyle": (0, (3, 3))},
)
"""A look for each of several lines in one panel, the first for what the claim is about."""
METHODS: Mapping[str, Mapping[str, Any]] = dict(
    zip(("bloop", "mixed", "pcgrad", "dynamic_barrier"), SERIES, strict=False)
)
"""The look of a method is the same in every figure."""

STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10.5,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "font.size": 9.5,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "svg.hashsalt": "bloop",  # the same figure has the same bytes
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def picture(
    draw: Callable[[Figure], None], size: tuple[float, float], form: str = "png", dpi: int = DPI
) -> bytes:
    """Return what a function draws into an empty figure, as a file of a format.

    Example:
        >>> picture(lambda figure: None, (1.0, 1.0), "svg")[:5]
        b'<?xml'
    """
    file = io.BytesIO()
    with rc_context(STYLE):
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        draw(figure)
        # a date would make every drawing of the same results another file
        dateless = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[form]
        figure.savefig(file, format=form, dpi=dpi, metadata=dateless)
    return file.getvalue()


def form_of(path: Path) -> str:
    """Return the format that the ending of a file says.

    Raises:
        ValueError: the ending is none of a format that is written, or the file cannot be.

    Example:
        >>> form_of(Path("fronts.PDF"))
        'pdf'
    """
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        endings = ", ".join(f".{each}" for each in FORMATS)
        raise ValueError(f"{path} must end in one of {endings}: it says the format")
    check_writable(path)
    return form


def band(
    axes: Axes,
    x: ArrayLike,
    seeds: ArrayLike,
    look: Mapping[str, Any],
    *,
    label: str = "",
    **more: Any,
) -> None:
    """Draw a line through means over seeds, and between the least and the largest a band.

    Args:
        axes: where to draw.
        x: shape (n,).
        seeds: the values of each seed, shape (seeds, n).
        look: one of ``SERIES`` or ``METHODS``.
        label: what the legend calls it.
        more: further properties of the line, such as ``marker="none"`` where points are dense.
    """
    values = np.asarray(seeds, float)
    axes.plot(x, values.mean(axis=0), label=label, **{**look, **more})
    axes.fill_between(
        x, values.min(axis=0), values.max(axis=0), color=look["color"], alpha=0.2, linewidth=0
    )


def front(
    axes: Axes,
    fronts: Sequence[ArrayLike],
    look: Mapping[str, Any],
    *,
    label: str = "",
    **more: Any,
) -> None:
    """Draw a dot for each point of each seed's front, and a line through the means over seeds.

    Args:
        axes: where to draw.
        fronts: for each seed its points in order of lam, shape (n, 2).
        look: one of ``SERIES`` or ``METHODS``.
        label: what the legend calls it.
        more: further properties of the line.
    """
    points = np.asarray(fronts, float)
    x, y = points.reshape(-1, 2).T
    axes.scatter(x, y, s=6, color=look["color"], alpha=0.5, linewidths=0, zorder=3)
    axes.plot(*points.mean(axis=0).T, label=label, markerfacecolor="none", **{**look, **more})


def several_fronts(
    axes: Axes, drawn: Mapping[str, tuple[Sequence[ArrayLike], Mapping[str, Any]]]
) -> None:
    """Draw fronts with their looks by their labels, the first over the others, and a legend."""
    for label, (fronts, look) in reversed([*drawn.items()]):
        front(axes, fronts, look, label=label)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1])


def plain_log(axes: Axes, which: str = "y") -> None:
    """Make an axis logarithmic, with labels such as 0.02 in place of powers."""
    (axes.set_yscale if which == "y" else axes.set_xscale)("log")
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
