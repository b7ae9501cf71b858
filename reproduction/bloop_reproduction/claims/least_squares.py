"""Fronts of four methods on least squares: a convex problem whose main loss has many minimisers."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from bloop_proofs.problems import Array
from bloop_reproduction.claim import Claim, Finding, Measured, Row, Setting
from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.figures import METHODS as LOOKS
from bloop_reproduction.figures import front
from bloop_reproduction.statistics import dominated, hypervolume, interval

SAMPLES, P, BATCH = 256, 300, 64
NOISE, RATE = 0.05, 1e-3
LAMS = tuple(10.0**k for k in range(-3, 4))
SEEDS, EPOCHS = 5, 1000
RIVALS = tuple(method for method in METHODS if method != "bloop")
ALIKE = 0.05
"""Rivals whose areas differ by no larger share lie on one another."""


class Problem(NamedTuple):
    """Half the mean of (X theta - y)^2, and half the squared distance to a point."""

    X: Array
    y: Array
    wanted: Array

    def losses(self, theta: Array) -> tuple[float, float]:
        """Return the main and the auxiliary loss."""
        residual, away = self.X @ theta - self.y, theta - self.wanted
        return float(residual @ residual) / (2 * len(residual)), float(away @ away) / 2


@cache
def problem(seed: int) -> Problem:
    """Draw a problem: fewer samples than dimensions, columns of scales from 1 to 10.

    Labels are those of a standard normal point, with noise; the point that the auxiliary loss wants
    is ten times as far from the origin, another one.
    """
    generator = np.random.default_rng(seed)
    X = generator.standard_normal((SAMPLES, P)) * np.linspace(1, 10, P)
    y = X @ generator.standard_normal(P) + NOISE * generator.standard_normal(SAMPLES)
    return Problem(X, y, 10 * generator.standard_normal(P))


def settings(quick: bool) -> list[Setting]:
    """Return every method with every lam and every seed."""
    lams, seeds, epochs = ((0.1, 10.0), 1, 20) if quick else (LAMS, SEEDS, EPOCHS)
    return [
        {"method": method, "lam": lam, "seed": seed, "epochs": epochs}
        for seed in range(seeds)
        for lam in lams
        for method in METHODS
    ]


def measure(setting: Setting) -> Measured:
    """Return both losses after plain SGD from the origin, on the same batches for all methods."""
    here = problem(setting["seed"])
    generator = np.random.default_rng((setting["seed"], 1))
    theta = np.zeros(P)
    combine = METHODS[setting["method"]].start(setting["lam"], theta)
    for _ in range(setting["epochs"]):
        for batch in np.split(generator.permutation(SAMPLES), SAMPLES // BATCH):
            X = here.X[batch]
            g_main = X.T @ (X @ theta - here.y[batch]) / BATCH
            theta = theta - RATE * combine(g_main, theta - here.wanted)
    main, aux = here.losses(theta)
    return {"main": main, "aux": aux}


def read(rows: Sequence[Row]) -> Finding:
    """Compare the areas that the fronts dominate, in the logarithms of the losses, by seed."""
    seeds = sorted({row.setting["seed"] for row in rows})
    fronts = {m: [np.log10(losses(rows, m, seed)) for seed in seeds] for m in METHODS}
    best, spread, beaten = [], [], []
    for k in range(len(seeds)):
        every = {m: points[k] for m, points in fronts.items()}
        corner = np.max(np.concatenate(list(every.values())), axis=0)
        areas = {m: hypervolume(points, corner) for m, points in every.items()}
        rivals = [areas[m] for m in RIVALS]
        best.append(areas["bloop"] / max(rivals) if max(rivals) > 0 else np.nan)
        spread.append(1 - min(rivals) / max(rivals) if max(rivals) > 0 else np.nan)
        beaten.append(np.mean([dominated(every[m], by=every["bloop"]) for m in RIVALS]))
    numbers = (
        interval("area below the front, Bloop over the best rival", best),
        interval("share by which the rivals' areas differ", spread),
        interval("share of the rivals' points that Bloop dominates", beaten),
    )
    if not numbers[0].low > 1:
        return Finding("does not hold", numbers, "the area of Bloop's front is not the largest")
    if not numbers[1].value <= ALIKE:
        return Finding("in part", numbers, "the rivals do not lie on one another")
    return Finding("holds", numbers)


def losses(rows: Sequence[Row], method: str, seed: int) -> Array:
    """Return a front: the auxiliary and the main loss, shape (n, 2), in order of lam."""
    mine = [row for row in rows if (row.setting["method"], row.setting["seed"]) == (method, seed)]
    mine.sort(key=lambda row: float(row.setting["lam"]))
    return np.array([(row.measured["aux"], row.measured["main"]) for row in mine])


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw the fronts."""
    axes = figure.subplots()
    seeds = sorted({row.setting["seed"] for row in rows})
    for method in reversed(METHODS):
        points = [losses(rows, method, seed) for seed in seeds]
        front(axes, points, LOOKS[method], label=METHODS[method].label)
    axes.set(xscale="log", yscale="log")
    axes.set_xlabel("auxiliary loss: half the squared distance to the wanted point")
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
