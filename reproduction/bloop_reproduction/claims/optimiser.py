"""The claim ``optimiser``: what of the direction's orthogonality is left after the optimiser.

Every optimiser here moves the parameters by -rate * (mean of directions) / scale, which is linear
in the directions but for its scale. So a step has two parts, of the main and of the auxiliary
gradients, and each changes the main loss at first order by its inner product with grad L_main.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from bloop_ref import project_orthogonal, update_ema
from bloop_reproduction.claim import Claim, Finding, Measured, Number, Row, Setting
from bloop_reproduction.demo.adam import Adam, cosine_rate
from bloop_reproduction.demo.network import Floats
from bloop_reproduction.figures import SERIES, band
from bloop_reproduction.fronts import select
from bloop_reproduction.problems import Lipschitz
from bloop_reproduction.statistics import interval

LAM, RHO = np.float32(1), 0.01
SEEDS, STEPS, QUICK_STEPS = 5, 750, 60
PHASES = 10
EVERY = 5
"""The gradient of all images is taken at every fifth step."""
HALF = 0.5
"""The orthogonality survives where less than half of the conflict is left."""


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
    "adam": Optimiser("Adam", Adam, 1e-3),  # the paper's
    "momentum": Optimiser("SGD with momentum", Momentum, 0.3),
    "adamw": Optimiser("AdamW", Adam, 1e-3, decoupled=0.3),
    "decay in g_main": Optimiser("Adam with decay in g_main", Adam, 1e-3, in_main=1e-3),
}


class Kind(NamedTuple):
    """What is run: an optimiser, what is projected on, and in which metric."""

    optimiser: str
    on: str = "average"
    metric: bool = False

    @property
    def label(self) -> str:
        """What the kind is called."""
        on = "" if self.on == "average" else f" on {self.on}"
        how = on + (" in its metric" if self.metric else "")
        return OPTIMISERS[self.optimiser].label + (f", projected{how}" if how else "")


WHOLE = "the gradient of all images"
PLAIN = [Kind(name) for name in OPTIMISERS]
IN_METRIC = [Kind(name, metric=True) for name in OPTIMISERS if name != "momentum"]
WITHOUT_AVERAGE = [Kind("adam", WHOLE), Kind("momentum", WHOLE), Kind("adam", WHOLE, True)]
"""Neither old nor noisy: what is left then, momentum or the scale leaves."""
KINDS = (*PLAIN, *IN_METRIC, *WITHOUT_AVERAGE)
PARTS = ("main", "aux", "bare")


def settings(quick: bool) -> Sequence[Setting]:
    """Return a run for each kind and seed."""
    seeds, steps = (1, QUICK_STEPS) if quick else (SEEDS, STEPS)
    return [
        {**kind._asdict(), "seed": seed, "steps": steps}
        for seed, kind in product(range(seeds), KINDS)
    ]


def projected(metric: bool, g_aux: Floats, on: Floats, scale: Any) -> Floats:
    """Return pi(g_aux; on), or with ``metric`` the same in the metric of 1 / scale.

    There the result r obeys sum_i r_i on_i / scale_i = 0.
    """
    root = np.sqrt(scale) if metric else np.float32(1)
    found: Floats = root * project_orthogonal(g_aux / root, on / root)
    return found


class Split:
    """An optimiser that knows how much of a step is due to auxiliary gradients.

    ``aux`` is the part of its mean that is of the projected ones; ``bare`` is what it would be of
    the same gradients unprojected.
    """

    def __init__(self, inner: Adam) -> None:
        self.inner = inner
        self.aux, self.bare = np.zeros_like(inner.mean), np.zeros_like(inner.mean)
        self.scale: Any = np.float32(1)

    def step(
        self, theta: Floats, main: Floats, aux: Floats, bare: Floats, rate: float
    ) -> tuple[Floats, Floats]:
        """Step along minus both; return how far the two auxiliary means went, or would have."""
        self.aux += 0.1 * (aux - self.aux)
        self.bare += 0.1 * (bare - self.bare)
        self.inner.step(theta, main + aux, rate)
        self.scale = self.inner.scale()
        length = rate / (1 - 0.9**self.inner.count)
        return length * self.aux / self.scale, length * self.bare / self.scale


def measure(setting: Setting) -> Measured:
    """Return what the parts of the steps did to the main loss at first order.

    Each is <part of the step, grad L_main>, summed over each tenth of the steps, positive where
    the loss falls; ``bare`` is what the auxiliary gradients would have done unprojected, in the
    same steps. L_main has the decay that is put into g_main.
    """
    optimiser, steps = OPTIMISERS[setting["optimiser"]], setting["steps"]
    on, metric = setting["on"], setting["metric"]
    generator = np.random.default_rng(setting["seed"])
    problem = Lipschitz(generator)
    theta, ema = problem.parameters, np.zeros_like(problem.parameters)
    split, decay = Split(optimiser.start(theta)), np.float32(optimiser.in_main)
    rate_at = partial(cosine_rate, steps=steps, peak=optimiser.rate, warm_up=round(steps / 12))
    falls, whole = np.zeros((3, PHASES)), ema
    for t in range(steps):
        g_main, g_aux = problem.gradients(generator)
        g_main += decay * theta
        seen = t % EVERY == 0
        if seen or on == WHOLE:
            whole = problem.main_gradient() + decay * theta
        found = projected(metric, g_aux, whole if on == WHOLE else ema, split.scale)
        ema = update_ema(ema, g_main, rho=RHO)
        before, rate = theta.copy(), rate_at(t)
        parts = split.step(theta, g_main, LAM * found, LAM * g_aux, rate)
        if seen:
            changes = (before - theta - parts[0], *parts)
            falls[:, t * PHASES // steps] += [EVERY * float(whole @ each) for each in changes]
        theta *= np.float32(1 - rate * optimiser.decoupled)
    losses = dict(zip(("main loss", "aux loss"), problem.losses(), strict=True))
    return dict(zip(PARTS, falls.tolist(), strict=True)) | losses


def quotient(row: Row, above: str, below: str, phases: slice = slice(None)) -> float:
    """Return what one part did to the main loss in some tenths of the steps, by what another did.

    ``aux`` by ``bare`` is how much of the conflict is left: 0 where the orthogonality survives, 1
    where the projection might as well not have been made.
    """
    done, other = (float(np.sum(row.measured[name][phases])) for name in (above, below))
    return done / other if other else float("nan")


def _of(rows: Sequence[Row], kind: Kind) -> list[Row]:
    return select(rows, **kind._asdict())


def _number(rows: Sequence[Row], kind: Kind, *, below: str = "bare", late: bool = False) -> Number:
    what = "conflict left" if below == "bare" else "auxiliary part by main part"
    when = ", second half of the steps" if late else ""
    phases = slice(PHASES // 2, None) if late else slice(None)
    values = [quotient(row, "aux", below, phases) for row in _of(rows, kind)]
    return interval(f"{what}{when}: {kind.label}", values)


def read(rows: Sequence[Row]) -> Finding:
    """See under which optimisers less than half of the conflict is left, as the paper projects.

    Over all steps, that is; the second half of them is told beside it.
    """
    left = {kind: _number(rows, kind) for kind in KINDS}
    late = [_number(rows, kind, late=True) for kind in KINDS]
    done = [_number(rows, kind, below="main") for kind in PLAIN]
    lost = [kind for kind in PLAIN if not -HALF < left[kind].low <= left[kind].high < HALF]
    numbers = (*left.values(), *late, *done)
    if not lost:
        return Finding("holds", numbers)
    names = ", ".join(kind.label for kind in lost)
    without = " and ".join(
        f"{left[kind].value:.2f} with {OPTIMISERS[kind.optimiser].label}"
        for kind in WITHOUT_AVERAGE[:2]
    )
    reason = (
        f"that less than half of the conflict is left is not certain with {names};"
        f" projected on {WHOLE} there is left {without}"
    )
    return Finding("in part" if len(lost) < len(PLAIN) else "does not hold", numbers, reason)


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw what is left of the conflict over training, a panel for each optimiser."""
    panels = figure.subplots(1, len(OPTIMISERS), sharey=True)
    x = (np.arange(PHASES) + 0.5) / PHASES
    looks = {
        "on e": ("average", False),
        "on e, in Adam's metric": ("average", True),
        f"on {WHOLE}": (WHOLE, False),
        f"on {WHOLE}, in Adam's metric": (WHOLE, True),
    }
    for axes, (name, optimiser) in zip(panels, OPTIMISERS.items(), strict=True):
        for (label, how), look in zip(looks.items(), SERIES, strict=False):
            values = [
                [quotient(row, "aux", "bare", slice(k, k + 1)) for k in range(PHASES)]
                for row in _of(rows, Kind(name, *how))
            ]
            if values:
                band(axes, x, values, look, label=f"projected {label}")
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_title(optimiser.label)
        axes.set_xlabel("share of the steps")
        axes.set_xlim(0, 1)
    panels[0].set_ylabel("share of the conflict that is left")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)


CLAIM = Claim(
    name="optimiser",
    where="left open by the paper",
    says=(
        "The direction may go into any optimiser; the paper uses Adam. Asked here: after momentum"
        " and Adam's scale the auxiliary part still leaves the main loss alone, at first order."
    ),
    settings=settings,
    measure=measure,
    read=read,
    draw=draw,
    size=(11.0, 3.8),
)
