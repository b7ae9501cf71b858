"""Methods side by side: digits, to be told apart (main) and rebuilt (auxiliary) from few numbers.

``python docs/examples/compare_methods.py --out fronts.svg`` trains one small network for every
method, weight and seed, all in the same loop, and draws what each reaches. It needs
``pip install ".[torch,demo]"`` in the root of a clone.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table
from sklearn.datasets import load_digits
from torch import Tensor, nn

from bloop_ref.surgery import (
    MGDA,
    Bloop,
    CAGrad,
    CosineGate,
    DynamicBarrier,
    MetaBalance,
    Method,
    Mixed,
    PCGrad,
)
from bloop_torch import Surgery

WEIGHED: dict[str, Callable[[float], Method]] = {
    "Bloop": lambda lam: Bloop(lam, rho=0.01),
    "mixed training": lambda lam: Mixed(lam),
    "PCGrad": lambda lam: PCGrad(lam),
    "dynamic barrier": lambda lam: DynamicBarrier(lam),
}
OTHERS: dict[str, Method] = {
    "MGDA": MGDA(),
    "CAGrad, c = 1/2": CAGrad(c=0.5),
    "cosine gate": CosineGate(),
    "MetaBalance": MetaBalance(),
}
LAMS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
ENDINGS = (".png", ".svg", ".pdf")

STYLES: dict[str, dict[str, Any]] = {
    # Okabe and Ito's palette for colour-blind readers; in grey, lines and markers differ
    "Bloop": {"color": "#0072B2", "marker": "o", "linestyle": "-", "linewidth": 2.6},
    "mixed training": {"color": "#D55E00", "marker": "s", "linestyle": "--"},
    "PCGrad": {"color": "#009E73", "marker": "^", "linestyle": "-."},
    "dynamic barrier": {"color": "#CC79A7", "marker": "D", "linestyle": ":", "linewidth": 2.0},
    "MGDA": {"color": "#222222", "marker": "*", "markersize": 11},
    "CAGrad, c = 1/2": {"color": "#222222", "marker": "P", "markersize": 8},
    "cosine gate": {"color": "#222222", "marker": "X", "markersize": 8},
    "MetaBalance": {"color": "#222222", "marker": "d", "markersize": 8, "fillstyle": "none"},
}


@dataclass(frozen=True)
class Result:
    """What one network reaches, and how its vectors lay to one another in the last step."""

    method: str
    lam: float | None
    seed: int
    main: float
    aux: float
    accuracy: float
    last: dict[str, float]


class Network(nn.Module):
    """A trunk that keeps eight numbers of an image, and a head for each loss."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8), nn.Tanh())
        self.digit, self.pixels = nn.Linear(8, 10), nn.Linear(8, 64)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the main loss, cross-entropy, and the auxiliary one, mean square error."""
        code = self.trunk(x)
        main = nn.functional.cross_entropy(self.digit(code), y)
        return main, nn.functional.mse_loss(self.pixels(code), x)


def train(method: Method, seed: int, steps: int, x: Tensor, y: Tensor) -> Any:
    """Return a network and the last step's diagnostics: the same loop for every method."""
    torch.manual_seed(seed)
    network = Network()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    surgery = Surgery(network.named_parameters(), method)
    for step in range(steps):
        rows = torch.randint(len(y), (64,))
        found = surgery.backward(*network(x[rows], y[rows]), diagnostics=step == steps - 1)
        optimizer.step()
        decay.step()
    return network, found


def sweep(lams: Sequence[float], seeds: int, steps: int) -> Iterator[Result]:
    """Train every method, with every weight if it takes one, from every seed."""
    pixels, digits = load_digits(return_X_y=True)
    x, y = torch.tensor(pixels, dtype=torch.float32), torch.tensor(digits)
    x = (x - x.mean()) / x.std()
    held = torch.randperm(len(y), generator=torch.Generator().manual_seed(0)) < len(y) // 5
    runs: list[tuple[str, float | None, Method]]
    runs = [(name, lam, make(lam)) for name, make in WEIGHED.items() for lam in lams]
    runs += [(name, None, method) for name, method in OTHERS.items()]
    for seed in range(seeds):
        for name, lam, method in runs:
            network, found = train(method, seed, steps, x[~held], y[~held])
            with torch.no_grad():
                main, aux = map(float, network(x[~held], y[~held]))
                right = network.digit(network.trunk(x[held])).argmax(1) == y[held]
            accuracy = float(right.float().mean())
            yield Result(name, lam, seed, main, aux, accuracy, found.as_dict())


def means(results: Sequence[Result], name: str) -> list[Result]:
    """Return a method's results in order of the weight, each the mean over the seeds."""
    found = []
    for lam in sorted({r.lam or 0 for r in results if r.method == name}):
        same = [r for r in results if r.method == name and (r.lam or 0) == lam]
        columns = zip(*((r.main, r.aux, r.accuracy) for r in same), strict=True)
        main, aux, accuracy = map(fmean, columns)
        found.append(Result(name, lam or None, -1, main, aux, accuracy, {}))
    return found


def draw(results: Sequence[Result], steps: int) -> Figure:
    """Return the picture: a front for a method with a weight, a point for another."""
    figure = Figure(figsize=(8.5, 5.5), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for name in (*OTHERS, *reversed(WEIGHED)):
        style: dict[str, Any] = {"markersize": 7, "markeredgecolor": "white", "zorder": 3}
        style |= STYLES[name]
        if name in OTHERS:
            style |= {"linestyle": "", "markeredgecolor": style["color"], "zorder": 4}
        mine = [r for r in results if r.method == name]
        axes.plot(
            *([r.aux for r in mine], [r.main for r in mine]),
            ".",
            markersize=3,
            alpha=0.5,
            color=style["color"],
            zorder=2,
        )
        front = means(results, name)
        axes.plot([r.aux for r in front], [r.main for r in front], label=name, **style)
    front = means(results, "Bloop")
    for point, side, offset in ((front[0], "left", (4, -14)), (front[-1], "right", (-6, -10))):
        axes.annotate(
            rf"$\lambda$ = {point.lam:g}",
            (point.aux, point.main),
            xytext=offset,
            textcoords="offset points",
            ha=side,
            fontsize=9,
            color=STYLES["Bloop"]["color"],
        )
    lams = ", ".join(f"{point.lam:g}" for point in front)
    seeds = len({r.seed for r in results})
    axes.set(
        xlabel="auxiliary train loss: mean square error of the pixels",
        ylabel="main train loss: cross-entropy (log scale)",
        yscale="log",
    )
    axes.set_title(
        f"Digits told apart and rebuilt, {steps} steps; dots: {seeds} seed{'s' * (seeds > 1)}, "
        "symbols: means\n"
        rf"Along a line the weight $\lambda$ = {lams} grows from right to left",
        fontsize=10.5,
        loc="left",
    )
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(0.06, 0.1)
    handles, labels = axes.get_legend_handles_labels()
    order = [labels.index(name) for name in STYLES]
    axes.legend(
        [handles[k] for k in order], [labels[k] for k in order], frameon=False, loc="upper right"
    )
    return figure


def table(results: Sequence[Result]) -> Table:
    """Return the means as a table."""
    shown = Table(title="means over the seeds")
    shown.add_column("method")
    for column in ("lam", "main loss", "auxiliary loss", "test accuracy"):
        shown.add_column(column, justify="right")
    for name in STYLES:
        for k, r in enumerate(means(results, name)):
            cells = f"{r.main:.4f}", f"{r.aux:.4f}", f"{100 * r.accuracy:.1f} %"
            shown.add_row("" if k else name, "" if r.lam is None else f"{r.lam:g}", *cells)
    return shown


def main(argv: Sequence[str] | None = None) -> None:
    """Sweep, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two weights, one seed, 40 steps")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument(
        "--out", type=Path, default=Path("fronts.png"), help="ends in .png, .svg or .pdf"
    )
    parser.add_argument("--json", type=Path, help="where to write every run's results")
    args = parser.parse_args(argv)
    if args.out.suffix not in ENDINGS:
        parser.error(f"--out must end in {', '.join(ENDINGS)}; found {args.out.name}")
    for path in filter(None, (args.out, args.json)):
        if not path.absolute().parent.is_dir():
            parser.error(f"{path} must lie in a folder that exists")
    lams, seeds, steps = (LAMS[1:5:3], 1, 40) if args.quick else (LAMS, args.seeds, args.steps)
    console, results = Console(), []
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=seeds * (len(lams) * len(WEIGHED) + len(OTHERS)))
        for result in sweep(lams, seeds, steps):
            results.append(result)
            progress.advance(task)
    console.print(table(results))
    draw(results, steps).savefig(args.out)
    console.print(f"drawn to {args.out}")
    if args.json:
        args.json.write_text(json.dumps([asdict(r) for r in results], indent=1))


if __name__ == "__main__":
    main()
