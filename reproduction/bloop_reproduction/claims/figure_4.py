"""Figure 4: two digits in one picture, one of them hard to read."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from matplotlib.figure import Figure

from bloop_ref import surgery
from bloop_reproduction import figures
from bloop_reproduction.claim import Claim, Finding, Measured, Number, Row, Setting
from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.fronts import decades, fronts, verdict
from bloop_reproduction.statistics import areas, dominated, interval
from bloop_reproduction.training import Sgd, descent
from bloop_reproduction.two_heads import TwoDigits, finished, mean_cosine

LAMS = tuple(10.0**k for k in range(-3, 4))
"""The paper's range, by decades."""
STEPS, QUICK_STEPS = 1760, 44
"""40 epochs of 1437 pictures in batches of 32, or a single one."""
SLOWER = "bloop, rho = 0.001"
LABELS = {name: entry.label for name, entry in METHODS.items()} | {SLOWER: "Bloop, rho = 0.001"}
RIVALS = ("mixed", "pcgrad", "dynamic_barrier")


def settings(quick: bool) -> list[Setting]:
    """Every method with every lam and seed, and Bloop with the paper's rho too."""
    lams, seeds = ((0.1, 10.0), range(1)) if quick else (LAMS, range(5))
    steps = QUICK_STEPS if quick else STEPS
    return [
        {"method": method, "lam": lam, "seed": seed, "steps": steps}
        for seed, lam, method in product(seeds, lams, LABELS)
    ]


def measure(setting: Setting) -> Measured:
    """Train by SGD, its learning rate scaled by 1 / (1 + lam), and return both train losses.

    The seed fixes parameters and mini-batches, alike for every method.
    """
    lam = setting["lam"]
    slower = setting["method"] == SLOWER
    method = surgery.Bloop(lam, 0.001) if slower else METHODS[setting["method"]].make(lam)
    generator = np.random.default_rng(setting["seed"])
    problem = TwoDigits(generator)
    rate = problem.rate / (1 + lam)
    steps = setting["steps"]
    run = descent(problem, method, generator, steps=steps, rate=rate, optimiser=Sgd)
    return finished(problem, run, steps)


def read(rows: Sequence[Row]) -> Finding:
    """Compare what the fronts dominate, both losses in decades.

    Holds if Bloop's share is larger than each rival's (the intervals are above 0), in part if it is
    larger than some rival's.
    """
    found = areas(*(fronts(rows, decades, method=name) for name in LABELS))
    share = dict(zip(LABELS, found, strict=True))
    leads = [
        interval(
            f"share of the box dominated, Bloop less {LABELS[rival]}",
            share["bloop"] - share[rival],
        )
        for rival in RIVALS
    ]
    below = [number.low > 0 for number in leads]
    slower = interval(
        "share of the box dominated, Bloop with rho = 0.001 less mixed training",
        share[SLOWER] - share["mixed"],
    )
    reason = "" if all(below) else _reason(leads)
    return Finding(verdict(below), (*leads, slower, *_shares(rows), mean_cosine(rows)), reason)


def _shares(rows: Sequence[Row]) -> list[Number]:
    """Return which share of each other's points the fronts of Bloop and mixed training dominate."""
    bloop, mixed = (fronts(rows, method=method) for method in ("bloop", "mixed"))
    return [
        interval(
            "share of mixed training's points that Bloop's front dominates",
            [dominated(mixed[seed], by=bloop[seed]) for seed in mixed],
        ),
        interval(
            "share of Bloop's points that mixed training's front dominates",
            [dominated(bloop[seed], by=mixed[seed]) for seed in mixed],
        ),
    ]


def _reason(leads: Sequence[Number]) -> str:
    if any(number.high < 0 for number in leads):
        return (
            "Bloop takes out what of the auxiliary gradient lies along the main one, help as well "
            "as hindrance; a rival that keeps the help gets farther"
        )
    return "some fronts differ by no more than the seeds do"


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw a front for each method."""
    axes = figure.subplots()
    looks = {**figures.METHODS, SLOWER: figures.SERIES[4]}
    figures.several_fronts(
        axes,
        {
            label: ([*fronts(rows, method=name).values()], looks[name])
            for name, label in LABELS.items()
        },
    )
    for which in "xy":
        figures.plain_log(axes, which)
    axes.set_xlabel("train loss of the digit that is easy to read (nats)")
    axes.set_ylabel("train loss of the faint digit (nats)")


CLAIM = Claim(
    name="figure-4",
    where="Figure 4",
    says="Two classifications of one picture, one of them hard, by two heads on a trunk: over lam "
    "Bloop's front of the two losses lies below those of the methods without an average.",
    settings=settings,
    measure=measure,
    read=read,
    draw=draw,
)
