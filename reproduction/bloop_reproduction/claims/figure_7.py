"""Figure 7: what the weight rho of the newest gradient in the average does."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bloop_ref import surgery
from bloop_reproduction import figures
from bloop_reproduction.claim import Claim, Finding, Measured, Row, Setting
from bloop_reproduction.claims import smooth
from bloop_reproduction.fronts import fronts, main_in_decades, seeds, select, values, verdict
from bloop_reproduction.statistics import areas, interval

RHOS = (0.001, 0.01, 0.1, 0.9)
"""The paper's."""
MIXED = 0.0
"""Stands for mixed training where a rho is asked for."""
LAMS = (0.1, 0.3, 1.0)
LAM = 0.3
"""Where paths are compared."""
LOOKS = {MIXED: 1, 0.9: 4, 0.1: 3, 0.01: 0, 0.001: 2}
"""The paper's rho looks as Bloop does in other figures."""
NEAR = 0.25
"""A path falls back on mixed training's if it is nearer to it than this share of what another is
away."""


def settings(quick: bool) -> list[Setting]:
    """Every rho with every lam and seed, and mixed training."""
    lams = (LAM,) if quick else LAMS
    return [
        {"rho": rho, "lam": lam, "seed": seed, "steps": smooth.steps(quick)}
        for seed, lam, rho in product(smooth.seeds(quick), lams, (MIXED, *RHOS))
    ]


def measure(setting: Setting) -> Measured:
    """Train one network; see ``smooth.train``."""
    lam, rho = setting["lam"], setting["rho"]
    method = surgery.Mixed(lam) if rho == MIXED else surgery.Bloop(lam, rho)
    return smooth.train(setting, method)


def read(rows: Sequence[Row]) -> Finding:
    """Ask three things of the paper's four values.

    0.001 is too stale if its front (train losses in decades) dominates less than that of 0.01.
    0.9 falls back on mixed training if its path at lam = 0.3 is nearer to mixed training's than a
    quarter of what that of 0.01 is away, on the mean over the path. 0.01 and 0.1 trade the losses
    if at lam = 0.3 the first ends with the lower main loss and the second with the lower auxiliary
    one. All by 95% intervals over seeds; holds if all three are so, in part if some are.
    """
    share = dict(
        zip(RHOS, areas(*(fronts(rows, main_in_decades, rho=rho) for rho in RHOS)), strict=True)
    )
    stale = interval(
        "share of the box dominated, rho = 0.01 less 0.001", share[0.01] - share[0.001]
    )
    near, far = (_away(rows, rho) for rho in (0.9, 0.01))
    back = interval(
        "distance of the path of rho = 0.9 from mixed training's, over that of 0.01",
        np.divide(near, far, out=np.full_like(near, np.inf), where=far > 0),
    )
    ends = {rho: np.array(_ends(rows, rho)) for rho in (0.01, 0.1)}
    aux, main = (ends[0.1] - ends[0.01]).T
    dearer = interval("decades of train loss that rho = 0.1 ends above 0.01, lam = 0.3", main)
    smoother = interval("bound that rho = 0.1 ends below 0.01, lam = 0.3", -aux)
    best = interval("share of the box dominated, rho = 0.01 less 0.1", share[0.01] - share[0.1])
    parts = stale.low > 0, back.high < NEAR, dearer.low > 0 and smoother.low > 0
    return Finding(verdict(parts), (stale, back, dearer, smoother, best), _reason(parts))


def _ends(rows: Sequence[Row], rho: float) -> list[tuple[float, float]]:
    main, aux = (values(rows, name, rho=rho, lam=LAM) for name in ("main", "aux"))
    return [main_in_decades({"main": y, "aux": x}) for y, x in zip(main, aux, strict=True)]


def _away(rows: Sequence[Row], rho: float) -> NDArray[np.float64]:
    """Return how far a path is from mixed training's on its mean, for each seed."""
    ours, theirs = (_paths(rows, each) for each in (rho, MIXED))
    return np.asarray(np.linalg.norm(ours - theirs, axis=2).mean(axis=1))


def _paths(rows: Sequence[Row], rho: float) -> NDArray[np.float64]:
    """Return the paths of all seeds, shape (seeds, points, 2), the main loss in decades."""
    found = [
        [main_in_decades({"aux": aux, "main": main}) for aux, main in row.measured["path"]]
        for seed in seeds(rows)
        for row in select(rows, rho=rho, lam=LAM, seed=seed)
    ]
    return np.array(found)


def _reason(parts: Sequence[bool]) -> str:
    stale, back, trade = parts
    reasons = (
        (stale, "an average over 1000 steps is not stale where the gradient turns more slowly"),
        (back, "the average at rho = 0.9, nearly a batch's gradient, is more than noise here"),
        (trade, "the averages at rho = 0.01 and 0.1 part in one loss only"),
    )
    return "; ".join(reason for is_so, reason in reasons if not is_so)


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw the paths at lam = 0.3, mean and each seed's, and where they end."""
    axes = figure.subplots()
    for rho, k in LOOKS.items():
        look = figures.SERIES[k]
        paths = _paths(rows, rho)
        for path in paths:
            axes.plot(path[:, 0], 10 ** path[:, 1], color=look["color"], alpha=0.25, linewidth=0.7)
        mean = paths.mean(axis=0)
        label = "mixed training" if rho == MIXED else rf"Bloop, $\rho$ = {rho:g}"
        axes.plot(mean[:, 0], 10 ** mean[:, 1], label=label, **look)
    figures.plain_log(axes)
    axes.set_xlabel("bound on the log Lipschitz constant (smaller is smoother)")
    axes.set_ylabel("train loss (cross-entropy, nats)")
    axes.legend()


CLAIM = Claim(
    name="figure-7",
    where="Figure 7",
    says="Of four values of rho, 0.001 makes an average that is too stale, 0.9 falls back on the "
    "path of mixed training, and 0.01 and 0.1 trade the two losses for one another.",
    settings=settings,
    measure=measure,
    read=read,
    draw=draw,
)
