"""Algorithm 1, the order of its lines: to project on the average before or after its update."""

from collections.abc import Sequence
from itertools import product
from typing import Any, Final, Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bloop_proofs.tolerances import direction_bound
from bloop_ref import Bloop, bloop_direction
from bloop_reproduction import figures
from bloop_reproduction.claim import Claim, Finding, Measured, Number, Row, Setting
from bloop_reproduction.fronts import decades, fronts, select, values, verdict
from bloop_reproduction.statistics import Front, gains, interval
from bloop_reproduction.training import Sgd, descent
from bloop_reproduction.two_heads import TwoDigits

OLD: Final = "previous"
UPDATED: Final = "updated"
ORDERS: tuple[Literal["previous", "updated"], ...] = (OLD, UPDATED)
RHO = 0.01
"""The paper's, on which the verdict stands."""
RHOS = (RHO, 0.1, 0.9)
SIZES = (2, 8, 32)
LAMS = (0.1, 1.0, 10.0)
STEPS, QUICK_STEPS = 1760, 44
FROZEN, QUICK_FROZEN = 600, 20
"""After how many steps of Bloop, lam = 1, the expectation is computed."""


def settings(quick: bool) -> list[Setting]:
    """A bias for every rho and size of batch, and a run for every order, rho and lam; by seed."""
    many, sizes = (1, (32,)) if quick else (5, SIZES)
    frozen, steps = (QUICK_FROZEN, QUICK_STEPS) if quick else (FROZEN, STEPS)
    biases = [
        {"part": "bias", "rho": rho, "size": size, "seed": seed, "steps": frozen}
        for seed, rho, size in product(range(many), RHOS, sizes)
    ]
    runs = [
        {"part": "run", "order": order, "rho": rho, "lam": lam, "seed": seed, "steps": steps}
        for seed, rho, lam, order in product(range(many), RHOS, LAMS, ORDERS)
    ]
    return [*biases, *runs]


def measure(setting: Setting) -> Measured:
    """Compute the biases of both orders, or train with one and return both train losses."""
    generator = np.random.default_rng(setting["seed"])
    problem = TwoDigits(generator)
    if setting["part"] == "bias":
        ema = _trained(problem, generator, setting, lam=1.0, order=OLD)
        problem.parameters = problem.parameters.astype(np.float64)
        return biases(problem, ema.astype(np.float64), setting["rho"], setting["size"])
    _trained(problem, generator, setting, lam=setting["lam"], order=setting["order"])
    main, aux = problem.losses()
    return {"main": main, "aux": aux}


def _trained(
    problem: TwoDigits, generator: np.random.Generator, setting: Setting, *, lam: float, order: Any
) -> NDArray[Any]:
    """Train by SGD as figure 4 does, and return the average at the end."""
    method = Bloop(lam, setting["rho"], project_on=order)
    rate = problem.rate / (1 + lam)
    run = descent(problem, method, generator, steps=setting["steps"], rate=rate, optimiser=Sgd)
    for state in run:
        ema = state.ema
    return np.asarray(ema)


def biases(problem: TwoDigits, ema: NDArray[Any], rho: float, size: int) -> dict[str, float]:
    """Return how far E[d] is from grad L_main + pi(grad L_aux; e) over all mini-batches, lam = 1.

    The training set is cut into mini-batches of ``size`` pictures, what is left over dropped; the
    finite sum is of those, so that the expectation is a mean over all of them. Relative to
    ||pi(grad L_aux; e)||. For the updated average the target has its expectation,
    e = (1 - rho) e + rho grad L_main, in place of e: what is left is bias all the same.

    Returns ``previous`` and ``updated``, and the bound on what rounding makes of an exact 0,
    ``rounding``, for gradients of the largest norms: that of a direction, once for the target; and
    that of the sums over mini-batches, of directions and of both gradients, once more for norms.
    """
    count = len(problem.tasks()[0].labels) // size
    methods = {order: Bloop(1.0, rho, project_on=order) for order in ORDERS}
    sums = {order: np.zeros_like(ema) for order in methods}
    whole = np.zeros((2, len(ema)))
    longest = np.zeros(2)
    for k in range(count):
        rows = np.arange(k * size, (k + 1) * size)
        pair = problem.gradients_of((rows, rows))
        whole += np.array(pair) / count
        longest = np.maximum(longest, np.linalg.norm(pair, axis=1))
        for order, method in methods.items():
            state = method.init(ema)._replace(memory=(ema,))
            sums[order] += method.step(pair, state)[0] / count
    on = {OLD: ema, UPDATED: (1 - rho) * ema + rho * whole[0]}
    targets = {order: bloop_direction(whole[0], whole[1], on[order], lam=1.0) for order in methods}
    size_of = np.linalg.norm(targets[OLD] - whole[0])
    u = float(np.finfo(np.float64).eps) / 2
    one = direction_bound(u, len(ema), longest[0], longest[1], 1.0)
    rounding = 2 * one + 3 * (count + 1) * u * longest.sum()
    lengths = {order: np.linalg.norm(sums[order] - targets[order]) for order in methods}
    found = {OLD: lengths[OLD], UPDATED: lengths[UPDATED], "rounding": rounding}
    return {name: float(value / size_of) for name, value in found.items()}


def read(rows: Sequence[Row]) -> Finding:
    """Ask whether the order decides about the bias, and whether the bias costs anything.

    The first is so if the old average's bias is 0 up to the bound on rounding in every row and the
    updated one's is above 0 (its interval at rho = 0.01, batches of 32); the second if at
    rho = 0.01 the front of the old one (both losses in decades) dominates more than that of the
    updated one. Holds if both are so, in part if the first alone, else not.
    """
    exact = all(row.measured[OLD] <= row.measured["rounding"] for row in select(rows, part="bias"))
    biases_of = [
        interval(
            f"bias of the mean direction, updated average, rho = {rho:g}, batches of {size}, as a "
            "share of the projected gradient",
            values(rows, UPDATED, part="bias", rho=rho, size=size),
        )
        for rho, size in product(RHOS, _sizes(rows)[::-1])
    ]
    leads = [
        interval(
            f"share of the box dominated, old average less updated, rho = {rho:g}",
            gains(_fronts(rows, OLD, rho), _fronts(rows, UPDATED, rho)),
        )
        for rho in RHOS
    ]
    biased = exact and biases_of[0].low > 0
    found = verdict([biased, leads[0].low > 0]) if biased else "does not hold"
    return Finding(found, (*biases_of, *leads), _reason(exact, biased, leads[0]))


def _sizes(rows: Sequence[Row]) -> list[int]:
    return sorted({row.setting["size"] for row in select(rows, part="bias")})


def _fronts(rows: Sequence[Row], order: str, rho: float) -> dict[int, Front]:
    return fronts(select(rows, part="run"), decades, order=order, rho=rho)


def _reason(exact: bool, biased: bool, lead: Number) -> str:
    if not exact:
        return "the old average's direction is biased by more than rounding explains"
    if not biased:
        return "updating the average first leaves no bias that can be told from 0"
    if lead.high < 0:
        return (
            "training ends ahead with the bias: the updated average also takes out what the noise "
            "of both gradients has in common, where both are of the same pictures"
        )
    if not lead.low > 0:
        return (
            "one batch moves the average by rho times its gradient: at rho = 0.01 and batches of "
            "32 too little to move where training ends by more than the seed does"
        )
    return ""


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw the biases over the size of batches, and the fronts of both orders for each rho."""
    left, right = figure.subplots(1, 2)
    sizes = _sizes(rows)
    for look, rho in zip(figures.SERIES, RHOS, strict=False):
        found = [values(rows, UPDATED, part="bias", rho=rho, size=size) for size in sizes]
        figures.band(left, sizes, np.transpose(found), look, label=rf"updated, $\rho$ = {rho:g}")
    old = [row.measured[OLD] for row in select(rows, part="bias")]
    left.set_title(f"bias of E[d] (old average: {max(old):.0e} at most)")
    left.set_xlabel("pictures in a mini-batch")
    left.set_ylabel("share of the projected gradient")
    left.set_ylim(bottom=0)
    figures.plain_log(left, "x")
    left.set_xticks(sizes, [str(size) for size in sizes])
    left.legend()
    for look, rho in zip(figures.SERIES, RHOS, strict=False):
        for order, more in ((OLD, {"linestyle": "-"}), (UPDATED, {"linestyle": ":"})):
            ends = [*fronts(rows, part="run", order=order, rho=rho).values()]
            name = "old" if order == OLD else "updated"
            figures.front(right, ends, look, label=rf"{name}, $\rho$ = {rho:g}", **more)
    for which in "xy":
        figures.plain_log(right, which)
    right.set_title("where training ends, over lam")
    right.set_xlabel("train loss of the easy digit (nats)")
    right.set_ylabel("train loss of the faint digit (nats)")
    right.legend()


CLAIM = Claim(
    name="old-or-new-average",
    where="Algorithm 1, section 2.2",
    says="Projecting on the average of the steps before makes the direction right on the mean, "
    "grad L_main + lam pi(grad L_aux; e); an average that has taken in the batch loses this. What "
    "that costs in training the paper does not say.",
    settings=settings,
    measure=measure,
    read=read,
    draw=draw,
    size=(9.6, 4.2),
)
