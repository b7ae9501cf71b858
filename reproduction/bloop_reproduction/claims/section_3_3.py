"""Section 3.3: the condition number of mixed training and of Bloop, and the steps that it costs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from bloop_proofs.problems import Array, section_3_3
from bloop_ref import bloop_direction
from bloop_reproduction.claim import Claim, Finding, Measured, Row, Setting
from bloop_reproduction.figures import METHODS, band
from bloop_reproduction.fronts import seeds, select
from bloop_reproduction.statistics import interval

LAMS = tuple(10 ** (k / 2) for k in range(-6, 4))
TARGET = 1e-2
"""The distance to the bilevel solution (0, 0) that counts as having arrived."""
SEEDS, MOST_STEPS = 5, 6000
LABELS = {"bloop": "Bloop", "mixed": "mixed training"}


def settings(quick: bool) -> list[Setting]:
    """Return both methods with every lam and every seed."""
    lams, count, steps = ((0.1, 1.0), 1, 200) if quick else (LAMS, SEEDS, MOST_STEPS)
    return [
        {"method": method, "lam": lam, "seed": seed, "most steps": steps}
        for seed in range(count)
        for lam in lams
        for method in LABELS
    ]


def direction(method: str, theta: Array, lam: float) -> Array:
    """Return eq. 3 or eq. 1's gradient."""
    problem = section_3_3()
    g_main, g_aux = problem.grad_main(theta), problem.grad_aux(theta)
    if method == "mixed":
        return np.asarray(g_main + lam * g_aux)
    return np.asarray(bloop_direction(g_main, g_aux, g_main, lam=lam))


def measure(setting: Setting) -> Measured:
    """Return the steps of size 1 / (1 + lam) to the target, the distance reached, the conditioning.

    The start is normal. The condition number is that of the direction's derivative there, from
    differences, which are exact up to rounding: the direction is linear where a is not 0.
    """
    method, lam = setting["method"], setting["lam"]
    theta = np.random.default_rng(setting["seed"]).standard_normal(2)
    here = direction(method, theta, lam)
    # halving a keeps its sign, so that the difference is taken on one side of a = 0
    moved = [theta - np.array([theta[0] / 2, 0.0]), theta + np.array([0.0, 1.0])]
    slopes = [(direction(method, point, lam) - here) / np.sum(point - theta) for point in moved]
    values = np.linalg.svd(np.transpose(slopes), compute_uv=False)
    steps = setting["most steps"]
    for step in range(steps):
        if np.linalg.norm(theta) <= TARGET:
            steps = step
            break
        theta = theta - direction(method, theta, lam) / (1 + lam)
    distance = float(np.linalg.norm(theta))
    return {"steps": steps, "distance": distance, "condition": float(values[0] / values[1])}


def read(rows: Sequence[Row]) -> Finding:
    """Compare the fewest steps over lam, seed by seed; and see who arrives for which lam."""
    bloop, mixed = (select(rows, method=method) for method in LABELS)
    fewest = {name: _fewest(runs) for name, runs in (("Bloop", bloop), ("mixed", mixed))}
    ratios = [m / max(1, b) for b, m in zip(*fewest.values(), strict=True)]
    number = interval(f"fewest steps to {TARGET:g} over all lam, mixed / Bloop", ratios)
    numbers = (number, *(interval(f"fewest steps, {name}", x) for name, x in fewest.items()))
    wrong = {
        "Bloop does not arrive for every lam": not all(map(arrived, bloop)),
        "mixed training arrives where lam / (1 + lam) is more than the distance": any(
            arrived(row) and row.setting["lam"] / (1 + row.setting["lam"]) > TARGET for row in mixed
        ),
        "the condition number of mixed training is not 1 + 1/lam": not all(
            abs(row.measured["condition"] / (1 + 1 / row.setting["lam"]) - 1) <= TARGET
            for row in mixed
        ),
    }
    reason = "; ".join(why for why, so in wrong.items() if so)
    if number.low <= 1:
        return Finding("does not hold", numbers, reason or "Bloop at its best lam is no faster")
    return Finding("in part" if reason else "holds", numbers, reason)


def arrived(row: Row) -> bool:
    """Return whether a run came within the target."""
    return bool(row.measured["distance"] <= TARGET)


def _fewest(rows: Sequence[Row]) -> list[float]:
    """Return for each seed the fewest steps to the target over all lam, infinity for none."""
    return [
        min(row.measured["steps"] if arrived(row) else np.inf for row in select(rows, seed=seed))
        for seed in seeds(rows)
    ]


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw the condition number over lam, and the steps to the target of those that arrive."""
    panels = figure.subplots(1, 2, sharex=True)
    for method, label in LABELS.items():
        mine = select(rows, method=method)
        lams = sorted({row.setting["lam"] for row in mine})
        by_lam = [select(mine, lam=lam) for lam in lams]
        conditions = np.transpose([[row.measured["condition"] for row in at] for at in by_lam])
        band(panels[0], lams, conditions, METHODS[method], label=label)
        there = [(lam, at) for lam, at in zip(lams, by_lam, strict=True) if all(map(arrived, at))]
        if there:
            steps = np.transpose([[row.measured["steps"] for row in at] for _, at in there])
            band(panels[1], [lam for lam, _ in there], steps, METHODS[method], label=label)
    panels[0].set(ylabel="condition number", title="of the direction's derivative")
    panels[1].set(ylabel="steps", title=f"to a distance of {TARGET:g}, where all seeds arrive")
    for axes in panels:
        axes.set(xscale="log", yscale="log", xlabel="weight lam of the auxiliary loss")
        axes.legend()


CLAIM = Claim(
    name="section-3.3",
    where="Section 3.3",
    says="On L_main = a^2/2, L_aux = ((a - 1)^2 + b^2)/2 mixed training comes near the bilevel "
    "solution only for small lam, where its condition number is 1 + 1/lam; Bloop reaches it for "
    "every lam.",
    settings=settings,
    measure=measure,
    read=read,
    draw=draw,
    size=(8.0, 3.6),
)
