"""The smooth network of figures 3a and 7: how it is trained, and what is measured of it."""

from collections.abc import Sequence

import numpy as np

from bloop_ref import surgery
from bloop_reproduction.claim import Measured, Setting
from bloop_reproduction.demo.training import Smooth
from bloop_reproduction.training import descent

STEPS, QUICK_STEPS = 1760, 44
"""40 epochs of 1437 images in batches of 32, or a single one."""
POINTS = 10
"""How many points of a path are recorded, the last one at its end."""


def train(setting: Setting, method: surgery.Method) -> Measured:
    """Train from scratch; the seed fixes parameters and mini-batches, alike for every method.

    Returns the losses over all training images at the end, and along the way as ``path``, pairs of
    the auxiliary and the main one.
    """
    generator = np.random.default_rng(setting["seed"])
    problem = Smooth(generator)
    steps = setting["steps"]
    path: list[tuple[float, float]] = []
    run = descent(problem, method, generator, steps=steps, rate=problem.rate)
    for step, _ in enumerate(run, start=1):
        if (step * POINTS) // steps > len(path):
            main, aux = problem.losses()
            path.append((aux, main))
    aux, main = path[-1]
    return {"main": main, "aux": aux, "path": path}


def steps(quick: bool) -> int:
    """Return how many."""
    return QUICK_STEPS if quick else STEPS


def seeds(quick: bool) -> Sequence[int]:
    """Return the seeds."""
    return range(1 if quick else 5)
