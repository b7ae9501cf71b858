"""The claim ``batch-size``: without an average Bloop turns into mixed training as batches shrink.

On one and the same path of parameters the directions of several batch sizes are compared with
mixed training's. Noise that all directions share would bring them together by itself; so it is
their expectations over batches that are compared, grad L_main + lam E[pi(g_aux; v)].
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bloop_ref import Bloop, project_orthogonal, update_ema
from bloop_reproduction.claim import Claim, Finding, Measured, Number, Row, Setting
from bloop_reproduction.demo.network import Floats
from bloop_reproduction.figures import SERIES, band
from bloop_reproduction.problems import Lipschitz
from bloop_reproduction.statistics import interval
from bloop_reproduction.training import descent

LAM, RHO = 1.0, 0.01
WHOLE = 1437
SIZES, SEEDS, STEPS = (1, 4, 16, 64, 256, WHOLE), 5, 750
QUICK_SIZES, QUICK_STEPS = (1, WHOLE), 60
LOOKS, DRAWS = 25, 16
"""How often is looked in the second half of the steps, and at how many batches each time."""
NAMES = {"alone": "projected on the batch's gradient", "average": "projected on the average e"}


def settings(quick: bool) -> Sequence[Setting]:
    """Return a run for each batch size and seed."""
    sizes, seeds = (QUICK_SIZES, 1) if quick else (SIZES, SEEDS)
    steps = QUICK_STEPS if quick else STEPS
    return [{"batch": b, "seed": seed, "steps": steps} for seed in range(seeds) for b in sizes]


def measure(setting: Setting) -> Measured:
    """Return medians of the angles to mixed training's direction, in degrees.

    The path is that of Bloop with batches of 32, alike for all batch sizes; beside it goes an
    average of the gradients of batches of the size asked for. ``alone`` is the angle without an
    average, ``average`` that with it, ``full`` that of eq. 3, with the gradient of all images.
    """
    path, draws = (np.random.default_rng([setting["seed"], k]) for k in range(2))
    problem, size, steps = Lipschitz(path), setting["batch"], setting["steps"]
    average = np.zeros_like(problem.parameters)
    found = []
    way = descent(problem, Bloop(LAM, RHO), path, steps=steps, rate=problem.rate)
    for t, _ in enumerate(way):
        if 2 * t >= steps and t % max(1, steps // (2 * LOOKS)) == 0:
            found.append(_angles(problem, average, size, draws))
        drawn = problem.main_gradient(_batch(size, draws))
        average = update_ema(average, drawn, rho=RHO)
    return {name: float(np.median([each[name] for each in found])) for name in found[0]}


def _batch(size: int, generator: np.random.Generator) -> Any:
    if size == WHOLE:
        return slice(None)
    return generator.choice(WHOLE, size, replace=False)


def _angles(
    problem: Lipschitz, average: Floats, size: int, draws: np.random.Generator
) -> dict[str, float]:
    whole, g_aux = problem.main_gradient(), problem.aux_gradient()
    batches = (_batch(size, draws) for _ in range(1 if size == WHOLE else DRAWS))
    alone = [project_orthogonal(g_aux, problem.main_gradient(batch)) for batch in batches]
    parts = {
        "alone": np.mean(alone, axis=0),
        "average": project_orthogonal(g_aux, average),
        "full": project_orthogonal(g_aux, whole),
    }
    mixed = whole + np.float32(LAM) * g_aux
    return {name: angle(whole + np.float32(LAM) * part, mixed) for name, part in parts.items()}


def angle(one: Floats, other: Floats) -> float:
    """Return the angle between two vectors in degrees.

    >>> round(angle(np.array([1.0, 0.0]), np.array([2.0, 2.0])), 9)
    45.0
    """
    one, other = (np.asarray(v, float) / np.linalg.norm(v) for v in (one, other))
    # of the sum and the difference, which lie across: exact for small angles too
    across, along = np.linalg.norm(one - other), np.linalg.norm(one + other)
    return float(np.degrees(2 * np.arctan2(across, along)))


def _kept(rows: Sequence[Row], name: str, size: int) -> Number:
    """Return which share of the full batch's angle is kept at a batch size."""
    shares = [
        row.measured[name] / row.measured["full"] for row in rows if row.setting["batch"] == size
    ]
    return interval(f"share of the angle of eq. 3, batch {size}, {NAMES[name]}", shares)


def read(rows: Sequence[Row]) -> Finding:
    """See how much of the angle to mixed training is left in the smallest batch.

    It holds if less than half is left without an average, and more with one.
    """
    sizes = sorted({int(row.setting["batch"]) for row in rows} - {WHOLE})
    alone, average = ([_kept(rows, name, size) for size in sizes] for name in NAMES)
    numbers = (alone[0], average[0], *alone[1:], *average[1:])
    if alone[0].high < 0.5 and average[0].low > alone[0].high:
        return Finding("holds", numbers)
    if not alone[0].high < 1:
        return Finding("does not hold", numbers, "the angle does not shrink with the batch")
    reason = (
        "the angle shrinks, but half of it or more is left"
        if alone[0].high >= 0.5
        else "the average of so small batches keeps no more of the angle: it is noise itself"
    )
    return Finding("in part", numbers, reason)


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw the angle to mixed training over the batch size."""
    axes = figure.subplots()
    sizes = sorted({row.setting["batch"] for row in rows})
    seeds = sorted({row.setting["seed"] for row in rows})
    by = {(row.setting["seed"], row.setting["batch"]): row.measured for row in rows}
    labels = NAMES | {"full": "projected on the gradient of all images (eq. 3)"}
    order = zip(("average", "alone", "full"), SERIES, strict=False)
    for name, look in order:
        values = [[by[seed, size][name] for size in sizes] for seed in seeds]
        band(axes, sizes, values, look, label=labels[name])
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("batch size")
    axes.set_ylabel("angle to mixed training's direction, degrees")
    axes.legend()


CLAIM = Claim(
    name="batch-size",
    where="section 2.2",
    says=(
        "Projected on the gradient of a mini-batch in place of an average, Bloop turns into mixed"
        " training as the batch shrinks."
    ),
    settings=settings,
    measure=measure,
    read=read,
    draw=draw,
)
