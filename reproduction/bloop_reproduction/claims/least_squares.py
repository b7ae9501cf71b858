"""Fronts of four methods on least squares: a convex problem whose main loss has many minimisers."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from bloop_reproduction.claim import Claim, Finding, Measured, Row, Setting
from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.demo.network import Floats
from bloop_reproduction.figures import METHODS as LOOKS
from bloop_reproduction.figures import front
from bloop_reproduction.fronts import common, fronts, height, main_in_decades, seeds
from bloop_reproduction.statistics import Front, interval

SAMPLES, P, BATCH = 256, 300, 64
NOISE, RATE = 0.05, 1e-3
LAMS = tuple(10.0**k for k in range(-3, 4))
SEEDS, EPOCHS = 5, 1000
RIVALS = tuple(method for method in METHODS if method != "bloop")
ALIKE = 1.25
"""Rivals whose main losses differ by no larger factor, at half the levels, lie on one another."""
LEVELS = 200
"""Auxiliary losses at which the main ones are compared."""
WHOLE = 0.95
"""A larger share of the common range is all of it, up to where the interpolation may err."""


class Problem(NamedTuple):
    """Half the mean of (X theta - y)^2, and half the squared distance to a point."""

    X: Floats
    y: Floats
    wanted: Floats

    def losses(self, theta: Floats) -> tuple[float, float]:
        """Return the main and the auxiliary loss."""
        residual, away = self.X @ theta - self.y, theta - self.wanted
        return float(residual @ residual) / (2 * len(residual)), float(away @ away) / 2


@cache
def problem(seed: int) -> Problem:
    """Draw a problem: fewer samples than dimensions, columns of scales from 1 to 10.

    Labels are those of a standard normal point, with noise; the point that the auxiliary loss wants
    is ten times as far from the origin, another one. In float32, as networks are.
    """
    generator = np.random.default_rng(seed)
    X = generator.standard_normal((SAMPLES, P)) * np.linspace(1, 10, P)
    y = X @ generator.standard_normal(P) + NOISE * generator.standard_normal(SAMPLES)
    drawn = X, y, 10 * generator.standard_normal(P)
    return Problem(*(each.astype(np.float32) for each in drawn))


def settings(quick: bool) -> list[Setting]:
    """Return every method with every lam and every seed."""
    lams, count, epochs = ((0.1, 10.0), 1, 20) if quick else (LAMS, SEEDS, EPOCHS)
    return [
        {"method": method, "lam": lam, "seed": seed, "epochs": epochs}
        for seed in range(count)
        for lam in lams
        for method in METHODS
    ]


def measure(setting: Setting) -> Measured:
    """Return both losses after plain SGD from the origin, on the same batches for all methods.

    The auxiliary one is given as a share of what it is at the origin: problems are alike in that.
    """
    here = problem(setting["seed"])
    generator = np.random.default_rng((setting["seed"], 1))
    theta = start = np.zeros(P, dtype=np.float32)
    method = METHODS[setting["method"]].make(setting["lam"])
    state = method.init(theta)
    for _ in range(setting["epochs"]):
        for batch in np.split(generator.permutation(SAMPLES), SAMPLES // BATCH):
            X = here.X[batch]
            g_main = X.T @ (X @ theta - here.y[batch]) / BATCH
            direction, state = method.step([g_main, theta - here.wanted], state)
            theta = theta - RATE * direction
    (main, aux), (_, most) = here.losses(theta), here.losses(start)
    return {"main": main, "aux": aux / most}


def read(rows: Sequence[Row]) -> Finding:
    """Compare the main losses at equal auxiliary losses, over all that every front reaches."""
    several = {method: fronts(rows, main_in_decades, method=method) for method in METHODS}
    found = [
        _compared({m: by_seed[seed] for m, by_seed in several.items()}) for seed in seeds(rows)
    ]
    lowest, factor, spread = np.transpose(found)
    numbers = (
        interval("share of the common range in which Bloop's main loss is the lowest", lowest),
        interval("best rival's main loss over Bloop's, where that is the most", factor),
        interval("largest of the rivals' main losses over the least, median", spread),
    )
    if not numbers[0].value > 0 or not numbers[1].low > 1:
        return Finding("does not hold", numbers, "the front is nowhere the lowest")
    if numbers[0].value < WHOLE:
        reason = (
            "where main loss has to be given up for the auxiliary one, mixed training, which "
            "minimises the sum of two convex losses, is the better way to do it"
        )
        return Finding("in part", numbers, reason)
    if numbers[2].value > ALIKE:
        return Finding("in part", numbers, "the rivals do not lie on one another")
    return Finding("holds", numbers)


def _compared(of: dict[str, Front]) -> tuple[float, float, float]:
    """Return for one seed what the three numbers are means of; NaN for no common range."""
    low, high = common(list(of.values()))
    if not low <= high:
        return np.nan, np.nan, np.nan
    mains = {
        method: np.array([height(points, x) for x in np.linspace(low, high, LEVELS)])
        for method, points in of.items()
    }
    rivals = np.array([mains[method] for method in RIVALS])
    gain = rivals.min(axis=0) - mains["bloop"]
    spread = np.median(np.ptp(rivals, axis=0))
    return float(np.mean(gain > 0)), float(10 ** gain.max()), float(10**spread)


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw the fronts."""
    axes = figure.subplots()
    for method in reversed(METHODS):
        points = list(fronts(rows, method=method).values())
        front(axes, points, LOOKS[method], label=METHODS[method].label)
    axes.set_yscale("log")
    axes.set_xlabel("auxiliary loss: squared distance to the wanted point, 1 at the start")
    axes.set_ylabel("main loss: half the mean squared residual")
    axes.legend()


CLAIM = Claim(
    name="least-squares",
    where="Section 5, on a convex problem of our own",
    says="Bloop's front of the two losses lies below those of mixed training, PCGrad and the "
    "dynamic barrier, which lie on one another. The paper says it of networks; here it is asked "
    "of least squares with fewer samples than dimensions.",
    settings=settings,
    measure=measure,
    read=read,
    draw=draw,
)
