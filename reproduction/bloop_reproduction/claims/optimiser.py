"""The claim ``optimiser``: what of the direction's orthogonality is left after the optimiser.

Every optimiser here moves the parameters by -rate * (mean of directions) / scale, which is linear
in the directions but for its scale. So a step has two parts, of the main and of the auxiliary
gradients, and each changes the main loss at first order by its inner product with grad L_main.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

from bloop_ref import project_orthogonal, update_ema
from bloop_reproduction.claim import Claim, Finding, Measured, Number, Row, Setting
from bloop_reproduction.demo.adam import Adam, cosine_rate
from bloop_reproduction.demo.network import Floats
from bloop_reproduction.figures import METHODS, SERIES, band
from bloop_reproduction.problems import Lipschitz
from bloop_reproduction.statistics import interval

LAM, RHO = 1.0, 0.01
SEEDS, STEPS, QUICK_STEPS = 5, 750, 60
PHASES = 10
EVERY = 5
"""The gradient of all images is taken at every fifth step."""
TOLERATED = 0.1
"""The orthogonality survives where the auxiliary part moves the main loss by less than a tenth of
what the main part does."""


class Momentum(Adam):
    """SGD with momentum 0.9: Adam without its scale."""

    def scale(self) -> Any:
        """Return 1, by which no coordinate is changed."""
        return np.float32(1)


@dataclass(frozen=True)
class Optimiser:
    """An optimiser, its peak rate, and weight decay: beside the direction, or in g_main."""

    label: str
    start: Callable[[Floats], Adam]
    rate: float
    decoupled: float = 0.0
    in_main: float = 0.0


OPTIMISERS = {
    "momentum": Optimiser("SGD with momentum", Momentum, 0.3),
    "adam": Optimiser("Adam", Adam, 1e-3),
    "adamw": Optimiser("AdamW, decoupled decay", Adam, 1e-3, decoupled=0.3),
    "decay in g_main": Optimiser("Adam, decay in g_main", Adam, 1e-3, in_main=1e-3),
}
PROJECTIONS = {"bloop": "Bloop", "metric": "Bloop in Adam's metric", "mixed": "mixed training"}
"""How the auxiliary part is made: pi(g_aux; e), the same in the metric of the scale, g_aux."""


def settings(quick: bool) -> Sequence[Setting]:
    """Return a run for each optimiser, projection and seed."""
    return [
        {"optimiser": name, "projection": how, "seed": seed, "steps": steps}
        for steps, seeds in [(QUICK_STEPS, 1) if quick else (STEPS, SEEDS)]
        for seed, name, how in product(range(seeds), OPTIMISERS, PROJECTIONS)
        if (name, how) != ("momentum", "metric")  # the metric of SGD is the usual one
    ]


def auxiliary(how: str, g_aux: Floats, ema: Floats, scale: Any) -> Floats:
    """Return what enters the direction, less its lam.

    In the metric of 1 / scale the result r obeys sum_i r_i e_i / scale_i = 0.
    """
    if how == "mixed":
        return g_aux
    root = np.sqrt(scale) if how == "metric" else np.float32(1)
    projected: Floats = root * project_orthogonal(g_aux / root, ema / root)
    return projected


def measure(setting: Setting) -> Measured:
    """Return what the two parts of the steps did to the main loss at first order.

    ``main`` and ``aux`` are rate * <part / scale, grad L_main>, summed over each tenth of the
    steps; positive where the loss falls. L_main has the decay that is put into g_main.
    """
    optimiser, how, steps = (
        OPTIMISERS[setting["optimiser"]],
        setting["projection"],
        setting["steps"],
    )
    with threadpool_limits(limits=1):
        generator = np.random.default_rng(setting["seed"])
        problem = Lipschitz(generator)
        theta = problem.parameters
        inner, aux_mean, ema = optimiser.start(theta), np.zeros_like(theta), np.zeros_like(theta)
        decay = np.float32(optimiser.in_main)
        warm_up = round(steps / 12)
        scale: Any = np.float32(1)
        rate_at = partial(cosine_rate, steps=steps, peak=optimiser.rate, warm_up=warm_up)
        falls = np.zeros((2, PHASES))
        for t in range(steps):
            g_main, g_aux = problem.gradients(generator)
            g_main += decay * theta
            part = np.float32(LAM) * auxiliary(how, g_aux, ema, scale)
            ema = update_ema(ema, g_main, rho=RHO)
            aux_mean += 0.1 * (part - aux_mean)
            before, rate = theta.copy(), rate_at(t)
            whole = problem.main_gradient() + decay * theta if t % EVERY == 0 else None
            inner.step(theta, g_main + part, rate)
            scale = inner.scale()
            if whole is not None:
                of_aux = rate / (1 - 0.9**inner.count) * float(whole @ (aux_mean / scale))
                of_both = float(whole.astype(float) @ (before - theta))
                falls[:, t * PHASES // steps] += of_both - of_aux, of_aux
            theta *= np.float32(1 - rate * optimiser.decoupled)
        main, aux = problem.losses()
    return {
        "falls by main": (EVERY * falls[0]).tolist(),
        "falls by aux": (EVERY * falls[1]).tolist(),
        "main": main,
        "aux": aux,
    }


def shares(row: Row, phases: slice = slice(None)) -> float:
    """Return what the auxiliary part does to the main loss, by what the main part does.

    Negative where it undoes some of it; 0 where it leaves the main loss alone.
    """
    main, aux = (np.sum(row.measured[f"falls by {part}"][phases]) for part in ("main", "aux"))
    return float(aux / abs(main))


def _share(rows: Sequence[Row], name: str, how: str) -> Number:
    mine = [r for r in rows if (r.setting["optimiser"], r.setting["projection"]) == (name, how)]
    label = f"{OPTIMISERS[name].label}, {PROJECTIONS[how]}: auxiliary part by main part"
    return interval(label, [shares(row) for row in mine])


def read(rows: Sequence[Row]) -> Finding:
    """See under which optimisers the interval lies within a tenth of what the main part does."""
    found = {name: _share(rows, name, "bloop") for name in OPTIMISERS}
    others = [
        _share(rows, name, how)
        for how, name in product(("metric", "mixed"), OPTIMISERS)
        if (name, how) != ("momentum", "metric")
    ]
    numbers = (found["adam"], *(x for name, x in found.items() if name != "adam"), *others)
    lost = [name for name, share in found.items() if max(-share.low, share.high) > TOLERATED]
    if not lost:
        return Finding("holds", numbers)
    names = ", ".join(OPTIMISERS[name].label for name in lost)
    reason = f"It is lost with {names}: more than a tenth of the main part's progress is changed."
    return Finding("in part" if len(lost) < len(found) else "does not hold", numbers, reason)


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw the relative change over training, a panel for each optimiser."""
    panels = figure.subplots(1, len(OPTIMISERS), sharey=True)
    looks = {"bloop": METHODS["bloop"], "metric": SERIES[2], "mixed": METHODS["mixed"]}
    x = (np.arange(PHASES) + 0.5) / PHASES
    for axes, (name, optimiser) in zip(panels, OPTIMISERS.items(), strict=True):
        for how, label in PROJECTIONS.items():
            mine = [
                [shares(row, slice(k, k + 1)) for k in range(PHASES)]
                for row in rows
                if (row.setting["optimiser"], row.setting["projection"]) == (name, how)
            ]
            if mine:
                band(axes, x, mine, looks[how], label=label)
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_title(optimiser.label)
        axes.set_xlabel("share of the steps")
    panels[0].set_ylabel("first-order fall of the main loss,\nauxiliary part / main part")
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)


CLAIM = Claim(
    name="optimiser",
    where="left open",
    says=(
        "The paper gives the direction to any optimiser, and uses Adam. Question: does the"
        " auxiliary part still leave the main loss alone at first order after the optimiser?"
    ),
    settings=settings,
    measure=measure,
    read=read,
    draw=draw,
    size=(11.0, 3.8),
)
