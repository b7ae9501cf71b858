"""Figure 2: what a projection still removes when the gradient that it is on is noisy."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bloop_ref import Bloop, bloop_direction
from bloop_reproduction.claim import Claim, Finding, Measured, Row, Setting
from bloop_reproduction.figures import SERIES, band, plain_log
from bloop_reproduction.fronts import values
from bloop_reproduction.statistics import interval

P, RHO = 100, 0.01
COSINE = -0.5
"""Of the angle between the gradients: they conflict."""
NOISES = tuple(10 ** (k / 2) for k in range(-2, 5))
"""The norm of the noise over that of the gradient."""
SEEDS, DRAWS, BURN_IN = 5, 1000, 500
LIMIT = 1 - 1 / P
DEGENERATE = 0.9
"""Of the part along the gradient so much is left where a projection hardly is one any more."""
TOLERANCE = 0.2
"""How far p (1 - left) may be from 1, its limit, at the largest noise."""


def settings(quick: bool) -> list[Setting]:
    """Return every noise with every seed."""
    noises, seeds, draws = ((1.0, 100.0), 1, 100) if quick else (NOISES, SEEDS, DRAWS)
    return [{"noise": n, "seed": s, "draws": draws} for s in range(seeds) for n in noises]


def measure(setting: Setting) -> Measured:
    """Return what is left along the true gradient, of 1, by a projection on a batch and on an e.

    The gradients have norm sqrt(p), so that noise of standard deviation sigma in every coordinate
    has sigma times their norm.
    """
    generator = np.random.default_rng(setting["seed"])
    # the columns of an orthogonal matrix, of norm sqrt(p)
    across, along = np.linalg.qr(generator.standard_normal((P, 2)))[0].T * np.sqrt(P)
    g_main, g_aux = along, COSINE * along + np.sqrt(1 - COSINE**2) * across
    draws = setting["draws"]
    noise = setting["noise"] * generator.standard_normal((BURN_IN + draws, P))
    batches = g_main + noise
    raw = [bloop_direction(v, g_aux, v, lam=1.0) - v for v in batches[-draws:]]
    bloop = Bloop(lam=1.0, rho=RHO)
    state = bloop.init(g_main)
    averaged = []
    for v in batches:
        direction, state = bloop.step([v, g_aux], state)
        averaged.append(direction - v)
    return {"batch": _left(raw, g_main, g_aux), "ema": _left(averaged[BURN_IN:], g_main, g_aux)}


def _left(projections: Sequence[Any], g_main: Any, g_aux: Any) -> float:
    return float(np.mean(projections, axis=0) @ g_main / (g_aux @ g_main))


def read(rows: Sequence[Row]) -> Finding:
    """Compare the limit with 1 - 1/p, and the two projections at the noise that defeats one."""
    noises = sorted({row.setting["noise"] for row in rows})
    left = {of: {n: values(rows, of, noise=n) for n in noises} for of in ("batch", "ema")}
    removed = P * (1 - left["batch"][noises[-1]])
    limit = interval(f"p (1 - left) at noise {noises[-1]:g}, in the limit 1", removed)
    defeated = [n for n in noises if np.mean(left["batch"][n]) >= DEGENERATE]
    if not defeated:
        return Finding("does not hold", (limit,), "at no noise does the projection degenerate")
    at = defeated[0]
    raw, cured = (interval(f"left at noise {at:.3g}, {of}", left[of][at]) for of in left)
    numbers = (limit, raw, cured)
    degenerates = abs(limit.value - 1) <= TOLERANCE
    if degenerates and cured.high < raw.low / 2:
        return Finding("holds", numbers)
    if degenerates or cured.high < raw.low:
        reason = "the average does not halve what is left" if degenerates else "the limit is missed"
        return Finding("in part", numbers, reason)
    return Finding("does not hold", numbers, "neither the limit nor the cure is seen")


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw what is left over the noise."""
    axes = figure.subplots()
    noises = sorted({row.setting["noise"] for row in rows})
    names = {"ema": f"on the average, rho = {RHO}", "batch": "on a single batch's gradient"}
    for look, (of, label) in zip(SERIES, names.items(), strict=False):
        seeds = np.transpose([values(rows, of, noise=n) for n in noises])
        band(axes, noises, seeds, look, label=label)
    axes.axhline(LIMIT, color="black", linewidth=0.8, label="1 - 1/p")
    plain_log(axes, "x")
    axes.set_xlabel("norm of the noise over that of the gradient")
    axes.set_ylabel("part of g_aux along the gradient that is left\n(0: projection, 1: mixed)")
    axes.legend()


CLAIM = Claim(
    name="figure-2",
    where="Figure 2, section 2.2",
    says="As the noise of a batch's gradient grows, projecting on it comes to only scale g_aux "
    "by 1 - 1/p, which is mixed training; projecting on a moving average keeps removing what is "
    "along the gradient. p = 100.",
    settings=settings,
    measure=measure,
    read=read,
    draw=draw,
)
