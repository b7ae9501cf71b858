"""Appendix C: two losses that hardly conflict."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from matplotlib.figure import Figure

from bloop_reproduction import figures
from bloop_reproduction.claim import Claim, Finding, Measured, Row, Setting
from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.fronts import decades, fronts, verdict
from bloop_reproduction.statistics import areas, interval
from bloop_reproduction.training import descent
from bloop_reproduction.two_heads import TwoKinds, finished, mean_cosine

LAMS = (0.01, 0.1, 1.0, 10.0, 100.0)
STEPS, QUICK_STEPS = 1100, 44
"""50 epochs of 719 pictures in batches of 32, or two."""
RIVALS = ("mixed", "pcgrad", "dynamic_barrier")
LITTLE = 0.1
"""The losses hardly conflict if the cosine of their gradients is above minus this on average."""


def settings(quick: bool) -> list[Setting]:
    """Every method with every lam and seed; more seeds, since it is asked what does not differ."""
    lams, many, steps = ((1.0, 10.0), 1, QUICK_STEPS) if quick else (LAMS, 10, STEPS)
    return [
        {"method": method, "lam": lam, "seed": seed, "steps": steps}
        for seed, lam, method in product(range(many), lams, METHODS)
    ]


def measure(setting: Setting) -> Measured:
    """Train, and return both train losses and the mean cosine of the whole gradients on the way.

    The seed fixes parameters and mini-batches, alike for every method.
    """
    method = METHODS[setting["method"]].make(setting["lam"])
    steps = setting["steps"]
    generator = np.random.default_rng(setting["seed"])
    problem = TwoKinds(generator)
    run = descent(problem, method, generator, steps=steps, rate=problem.rate)
    return finished(problem, run, steps)


def read(rows: Sequence[Row]) -> Finding:
    """Compare what the fronts dominate, both losses in decades, with what the seed does to it.

    Holds if the losses hardly conflict (the interval of the cosine is above -0.1) and each rival's
    share differs from Bloop's, by its interval over seeds, by less than one standard
    deviation over seeds of Bloop's own; in part if some of this is so.
    """
    own, *others = areas(*(fronts(rows, decades, method=method) for method in METHODS))
    spread = float(np.std(own, ddof=1)) if len(own) > 1 else 0.0
    found = [
        interval(
            f"share of the box dominated, Bloop less {METHODS[rival].label}, in standard "
            "deviations over seeds",
            (own - theirs) / spread if spread else np.full_like(own, np.inf),
        )
        for rival, theirs in zip(RIVALS, others, strict=True)
    ]
    cosine = mean_cosine(rows)
    alike = [max(-number.low, number.high) < 1 for number in found]
    little = cosine.low > -LITTLE
    reason = ""
    if not little:
        reason = "the two losses conflict here"
    elif not all(alike):
        reason = (
            "also where losses do not conflict on the whole, Bloop takes out what of one gradient "
            "lies along the average of the other"
        )
    return Finding(verdict([*alike, little]), (*found, cosine), reason)


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw a front for each method."""
    axes = figure.subplots()
    figures.several_fronts(
        axes,
        {
            entry.label: ([*fronts(rows, method=method).values()], figures.METHODS[method])
            for method, entry in METHODS.items()
        },
    )
    for which in "xy":
        figures.plain_log(axes, which)
    axes.set_xlabel("train loss of the digits 5 to 9 (nats)")
    axes.set_ylabel("train loss of the digits 0 to 4 (nats)")


CLAIM = Claim(
    name="appendix-c",
    where="Appendix C",
    says="Where the two losses hardly conflict, as on two sets of images, all methods are alike.",
    settings=settings,
    measure=measure,
    read=read,
    draw=draw,
)
