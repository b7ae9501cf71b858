"""Figure 3a: a network that fits the digits and has a small Lipschitz constant."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from matplotlib.figure import Figure

from bloop_reproduction import figures
from bloop_reproduction.claim import Claim, Finding, Measured, Number, Row, Setting
from bloop_reproduction.claims import smooth
from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.fronts import common, fronts, height, main_in_decades, verdict
from bloop_reproduction.statistics import areas, dominated, interval

LAMS = tuple(10 ** (k / 2) for k in range(-8, 1))
"""The paper's: 0.0001 to 1 by half decades."""
RIVALS = ("mixed", "pcgrad", "dynamic_barrier")
ALIKE = 0.25
"""The rivals lie on one another if they differ by less than this share of Bloop's lead."""


def settings(quick: bool) -> list[Setting]:
    """Every method with every lam and seed."""
    lams = (0.1, 1.0) if quick else LAMS
    return [
        {"method": method, "lam": lam, "seed": seed, "steps": smooth.steps(quick)}
        for seed, lam, method in product(smooth.seeds(quick), lams, METHODS)
    ]


def measure(setting: Setting) -> Measured:
    """Train one network; see ``smooth.train``."""
    method = METHODS[setting["method"]].make(setting["lam"])
    found = smooth.train(setting, method)
    return {"main": found["main"], "aux": found["aux"]}


def read(rows: Sequence[Row]) -> Finding:
    """Compare what the fronts dominate, train losses in decades.

    Holds if Bloop's share is larger than each rival's (the intervals are above 0) and the rivals
    are alike, in part if it is larger than some rival's.
    """
    bloop, *others = areas(*(fronts(rows, main_in_decades, method=name) for name in METHODS))
    leads = [
        interval(f"share of the box dominated, Bloop less {METHODS[rival].label}", over)
        for rival, over in zip(RIVALS, bloop - np.array(others), strict=True)
    ]
    rivals = np.array(others)
    lead = np.maximum(bloop - rivals.max(axis=0), 0)
    spread = np.ptp(rivals, axis=0)
    share = np.divide(spread, lead, out=np.full_like(spread, np.inf), where=lead > 0)
    apart = interval("difference of the rivals, as a share of Bloop's lead", share)
    below, alike = [number.low > 0 for number in leads], apart.high < ALIKE
    shares = [
        interval(f"share of {METHODS[rival].label}'s points that Bloop's front dominates", found)
        for rival in RIVALS
        for found in [_dominated(rows, rival)]
    ]
    found = verdict(below)
    if found == "holds" and not alike:
        found = "in part"
    return Finding(found, (*leads, apart, *shares, _times(rows)), _reason(below, alike))


def _dominated(rows: Sequence[Row], rival: str) -> list[float]:
    theirs, ours = (fronts(rows, method=method) for method in (rival, "bloop"))
    return [dominated(front, by=ours[seed]) for seed, front in theirs.items()]


def _times(rows: Sequence[Row]) -> Number:
    """Return how many times Bloop's train loss mixed training's is, at one bound; NaN at none."""
    mixed, bloop = (fronts(rows, main_in_decades, method=name) for name in ("mixed", "bloop"))
    low, high = common([*mixed.values(), *bloop.values()])
    at = (low + high) / 2
    times = [
        10 ** (height(mixed[seed], at) - height(bloop[seed], at)) if low <= high else np.nan
        for seed in mixed
    ]
    return interval(f"train loss of mixed training over Bloop's, at the bound {at:.2f}", times)


def _reason(below: Sequence[bool], alike: bool) -> str:
    if not all(below):
        return "some fronts differ by no more than the seeds do"
    if not alike:
        return (
            "the rivals project on the gradient of a batch, which is more than noise here, so that "
            "they part from mixed training"
        )
    return ""


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
    figures.plain_log(axes)
    axes.set_xlabel("bound on the log Lipschitz constant (smaller is smoother)")
    axes.set_ylabel("train loss (cross-entropy, nats)")


CLAIM = Claim(
    name="figure-3a",
    where="Figure 3a",
    says="Bloop's front of train loss against the bound on the Lipschitz constant lies below those "
    "of mixed training, PCGrad and the dynamic barrier, which lie on one another.",
    settings=settings,
    measure=measure,
    read=read,
    draw=draw,
)
