"""The picture: train loss against the log Lipschitz bound, one front per method."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bloop_reproduction import figures
from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.demo.summary import Comparison, compare, points
from bloop_reproduction.demo.training import Result
from bloop_reproduction.figures import GREY, INK

INCHES = (8.0, 5.5)

SHAPES: dict[str, dict[str, Any]] = {
    "bloop": {"linewidth": 2.8, "markersize": 9},
    "mixed": {"linewidth": 1.4, "markersize": 7},
    "pcgrad": {"linewidth": 1.4, "markersize": 7.5},
    # larger and hollow, to be seen around the markers that lie upon it
    "dynamic_barrier": {
        "linewidth": 1.4,
        "markersize": 10,
        "markerfacecolor": "none",
        "markeredgecolor": figures.METHODS["dynamic_barrier"]["color"],
        "markeredgewidth": 1.6,
    },
}
TITLE = "Train loss against smoothness, four methods"
STYLES = {method: {**figures.METHODS[method], **shape} for method, shape in SHAPES.items()}


def plot(results: Sequence[Result], form: str = "png") -> bytes:
    """Return the results drawn as a file of a format; a PNG has 1200 x 825 pixels."""
    return figures.picture(lambda figure: _draw(figure, results), INCHES, form)


def _draw(figure: Figure, results: Sequence[Result]) -> None:
    comparison = compare(results)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.095, 0.115, 0.875, 0.715))
    for order, method in enumerate(reversed(METHODS), start=3):
        _draw_front(axes, results, method, order)
    _label_ends(axes, results)
    if comparison is not None:
        _draw_gap(axes, comparison)
    _dress(axes)
    figure.text(0.022, 0.95, TITLE, fontsize=15, fontweight="bold", color=INK)
    figure.text(0.022, 0.872, _subtitle(results), fontsize=9.5, color=GREY, linespacing=1.4)


def _draw_front(axes: Axes, results: Sequence[Result], method: str, order: int) -> None:
    """Draw a dot for each run, and a line through the means over the seeds."""
    style = STYLES[method]
    mine = [result for result in results if result.run.method == method]
    axes.scatter(
        [result.log_lipschitz_bound for result in mine],
        [result.train_loss for result in mine],
        s=5,
        color=style["color"],
        alpha=0.5,
        linewidths=0,
        zorder=order + len(METHODS),
    )
    means = points(results, method)
    axes.plot(
        [point.log_lipschitz_bound.mean for point in means],
        [point.train_loss.mean for point in means],
        label=METHODS[method].label,
        zorder=order,
        **{"markeredgecolor": "white", "markeredgewidth": 0.9, **style},
    )


def _label_ends(axes: Axes, results: Sequence[Result]) -> None:
    """Write the smallest and the largest lam at the ends of Bloop's front and of the others'."""
    for method, offset, side in [("bloop", (0, -15), "top"), ("mixed", (0, 12), "bottom")]:
        front = points(results, method)
        for point in (front[0], front[-1]):
            axes.annotate(
                rf"$\lambda$ = {point.lam:g}",
                (point.log_lipschitz_bound.mean, point.train_loss.mean),
                xytext=offset,
                textcoords="offset points",
                ha="center",
                va=side,
                fontsize=9,
                color=STYLES[method]["color"],
            )


def _draw_gap(axes: Axes, comparison: Comparison) -> None:
    """Draw an arrow from the runner-up down to Bloop, at the bound where they are compared."""
    other = comparison.runner_up
    ends = [comparison.train_loss[method].mean for method in (other, "bloop")]
    arrow = {"arrowstyle": "<->", "color": INK, "linewidth": 1.1, "shrinkA": 6, "shrinkB": 6}
    axes.annotate(
        "",
        xy=(comparison.bound, ends[1]),
        xytext=(comparison.bound, ends[0]),
        arrowprops=arrow,
        zorder=2,
    )
    axes.annotate(
        f"{comparison.times_bloop(other):.1f}×",
        (comparison.bound, (ends[0] * ends[1]) ** 0.5),
        xytext=(7, 0),
        textcoords="offset points",
        va="center",
        fontsize=13,
        fontweight="bold",
        color=INK,
    )


def _dress(axes: Axes) -> None:
    figures.plain_log(axes)
    axes.margins(x=0.05, y=0.1)
    axes.set_xlabel(
        "log Lipschitz bound: sum of the log spectral norms of the weights (smaller is smoother)",
        fontsize=10,
    )
    axes.set_ylabel("train loss (cross-entropy, nats)", fontsize=10)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], fontsize=10.5)


def _subtitle(results: Sequence[Result]) -> str:
    runs = [result.run for result in results]
    seeds = len({run.seed for run in runs})
    dots = f"dots: {seeds} seeds, lines: their means" if seeds > 1 else "a single seed"
    return (
        f"Handwritten digits, perceptron 64-256-128-10, {runs[0].epochs} epochs; {dots}.\n"
        "Along each line the weight $\\lambda$ of the auxiliary loss grows from right to left."
    )
