"""The claim ``every``: what steps with one backward pass between full ones do to the fronts."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bloop_reproduction.claim import Claim, Finding, Number, Row, Setting
from bloop_reproduction.claims.every_tables import label
from bloop_reproduction.claims.every_training import (
    BETWEEN,
    BLOOP,
    LAMS,
    MIXED,
    SHORTER,
    Variant,
    grid,
    train,
)
from bloop_reproduction.figures import METHODS, SERIES, front, plain_log
from bloop_reproduction.fronts import fronts, main_in_decades
from bloop_reproduction.statistics import Front, gains, interval

SEEDS, STEPS = 5, 1500
QUICK_STEPS = 20
AUXILIARY = {
    "lipschitz": "log Lipschitz bound",
    "reconstruction": "reconstruction error, same images",
    "two sets": "reconstruction error, photographs",
}
SHOWN = {"lipschitz": (0.3, 2.4), "reconstruction": (0.40, 0.49), "two sets": (0.062, 0.11)}
"""The auxiliary losses that the figure shows: beyond them the main loss is given up, or the
auxiliary one."""
LOOKS = {  # of the others the guide has tables
    BLOOP: METHODS["bloop"],
    MIXED: METHODS["mixed"],
    SHORTER: SERIES[6],
    BETWEEN: SERIES[2],
    Variant(4, 0.2): SERIES[3],
    Variant(2, 0.2): SERIES[4],
}


def settings(quick: bool) -> Sequence[Setting]:
    """Return the runs of all problems, variants and lam."""
    return grid(seeds=1, steps=QUICK_STEPS) if quick else grid(seeds=SEEDS, steps=STEPS)


def read(rows: Sequence[Row]) -> Finding:
    """Compare m = 4 with Bloop at equal backward passes, and at equal steps, by hypervolume."""
    at_passes, at_steps = (
        {
            problem: interval(
                f"{problem}: front gained at equal {equal}",
                gains(*(_fronts(rows, problem, variant) for variant in (BETWEEN, other))),
            )
            for problem in LAMS
        }
        for other, equal in ((SHORTER, "passes"), (BLOOP, "steps"))
    )
    numbers = (*at_passes.values(), *at_steps.values())
    wins = [problem for problem, gain in at_passes.items() if gain.low > 0]
    behind = [problem for problem, gain in at_steps.items() if gain.high < 0]
    if len(wins) == len(LAMS) and not behind:
        return Finding("holds", numbers)
    return Finding("in part" if wins else "does not hold", numbers, _reason(at_passes, at_steps))


def _fronts(rows: Sequence[Row], problem: str, variant: Variant) -> dict[int, Front]:
    return fronts(rows, main_in_decades, problem=problem, **asdict(variant))


def _reason(at_passes: dict[str, Number], at_steps: dict[str, Number]) -> str:
    parts = []
    if lost := [problem for problem, gain in at_passes.items() if gain.low <= 0]:
        parts.append(f"at equal passes no gain is certain on {', '.join(lost)}")
    if lost := [problem for problem, gain in at_steps.items() if gain.high < 0]:
        parts.append(
            f"at equal steps it falls behind Bloop on {', '.join(lost)}: on the steps between the"
            " average gets lam (g_aux - A) beside g_main, which turns it away from the main"
            " gradient where A is late or noisy"
        )
    return "; ".join(parts)


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw a panel for each problem: main loss over auxiliary loss, a front for each variant."""
    panels = figure.subplots(1, len(LAMS))
    for axes, problem in zip(panels, LAMS, strict=True):
        _draw(axes, rows, problem)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        title="backward passes a step in brackets",
        loc="outside lower center",
        ncols=3,
    )


def _draw(axes: Axes, rows: Sequence[Row], problem: str) -> None:
    plain_log(axes)
    least, most = SHOWN[problem]
    shown: list[float] = []
    for variant, look in LOOKS.items():
        drawn = [*fronts(rows, problem=problem, **asdict(variant)).values()]
        name = f"{label(variant)} ({variant.passes:.3g})"
        front(axes, drawn, look, label=name)
        shown.extend(main for aux, main in np.concatenate(drawn) if least <= aux <= most)
    if shown:  # a miniature may end elsewhere
        axes.set_xlim(least, most)
        axes.set_ylim(0.9 * min(shown), 1.1 * max(shown))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(AUXILIARY[problem])
    axes.set_ylabel("train loss (cross-entropy)")
    axes.set_title(problem)


CLAIM = Claim(
    name="every",
    where="not in the paper",
    says=(
        "With both gradients in every fourth step only (every=4, an extension of this project) the"
        " front is better than Bloop's at equal backward passes, and not worse at equal steps."
    ),
    settings=settings,
    measure=train,
    read=read,
    draw=draw,
    size=(11.0, 4.6),
)
