"""The claim ``figure-5a``: next-byte prediction on a large corpus, and on a small one beside it."""

from collections.abc import Sequence
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bloop_ref import surgery
from bloop_reproduction.claim import Claim, Finding, Measured, Number, Row, Setting
from bloop_reproduction.figures import METHODS as LOOKS
from bloop_reproduction.figures import band, front
from bloop_reproduction.fronts import fronts as fronts_of
from bloop_reproduction.statistics import Front, gains, interval

RHO = 0.01
LAMS, SEEDS, STEPS, EVALUATED = (0.03, 0.1, 0.3, 1.0, 3.0), 5, 500, 256
QUICK_LAMS, QUICK_STEPS, QUICK_EVALUATED = (0.03, 1.0), 4, 8
SMALL = 0.1
"""Up to here t is small; at t mixed training with lam = t / (1 - t) minimises the weighted sum."""
METHODS = {"bloop": "Bloop", "mixed": "mixed training"}
PARTS = {"train": "training text", "held out": "held-out text"}


def settings(quick: bool) -> Sequence[Setting]:
    """Return a run for each method, lam and seed."""
    lams, seeds = (QUICK_LAMS, 1) if quick else (LAMS, SEEDS)
    steps, evaluated = (QUICK_STEPS, QUICK_EVALUATED) if quick else (STEPS, EVALUATED)
    return [
        {"method": method, "lam": lam, "seed": seed, "steps": steps, "evaluated": evaluated}
        for seed, lam, method in product(range(seeds), lams, METHODS)
    ]


def measure(setting: Setting) -> Measured:
    """Train one transformer; see ``figure_5a_model.train``."""
    from bloop_reproduction.claims.figure_5a_model import train

    lam = setting["lam"]
    method = surgery.Mixed(lam) if setting["method"] == "mixed" else surgery.Bloop(lam, RHO)
    return train(method, **{name: setting[name] for name in ("seed", "steps", "evaluated")})


def fronts(rows: Sequence[Row], method: str, part: str) -> dict[int, Front]:
    """Return for each seed the losses of a part of the text, in order of lam."""

    def plane(measured: Measured) -> tuple[float, float]:
        return measured[f"aux {part}"], measured[f"main {part}"]

    return fronts_of(rows, plane, method=method)


def sums(rows: Sequence[Row], method: str, part: str, t: float) -> Front:
    """Return (1 - t) L_main + t L_aux, a row for each seed and a column for each lam."""
    losses = np.array([*fronts(rows, method, part).values()])
    return np.asarray(losses @ [t, 1 - t])


def weights(rows: Sequence[Row]) -> list[float]:
    """Return the t that mixed training's lam go with, rising."""
    return [lam / (1 + lam) for lam in sorted({float(row.setting["lam"]) for row in rows})]


def less(rows: Sequence[Row], part: str, t: float, *, own: bool = False) -> Number:
    """Return by how much Bloop's weighted sum is lower than mixed training's, each at its best lam.

    The best lam is that of the least mean over the seeds. With ``own`` mixed training has the lam
    that belongs to t.
    """
    bloop, mixed = (sums(rows, method, part, t) for method in METHODS)
    column = weights(rows).index(t) if own else int(mixed.mean(axis=0).argmin())
    best = bloop[:, int(bloop.mean(axis=0).argmin())]
    which = "lam = t / (1 - t)" if own else "its best lam"
    name = f"{PARTS[part]}, t = {t:.2g}: mixed at {which} less Bloop"
    return interval(name, [*(mixed[:, column] - best)])


def read(rows: Sequence[Row]) -> Finding:
    """See whether Bloop's weighted sum is lower at small t, and its front in front, in training."""
    small = [t for t in weights(rows) if t <= SMALL]
    lower = [less(rows, "train", t) for t in small]
    gain = [
        interval(
            f"{name}: front gained",
            gains(*(fronts(rows, method, part) for method in METHODS)),
        )
        for part, name in PARTS.items()
    ]
    others = [less(rows, "train", t, own=True) for t in small]
    held = [less(rows, "held out", t) for t in small]
    numbers = (*lower, *gain, *others, *held)
    certain = [number.low > 0 for number in (*lower, gain[0])]
    if all(certain):
        return Finding("holds", numbers)
    reason = "; ".join(
        f"not certain: {number.name}"
        for number, sure in zip((*lower, gain[0]), certain, strict=True)
        if not sure
    )
    return Finding("in part" if any(certain) else "does not hold", numbers, reason)


def draw(figure: Figure, rows: Sequence[Row]) -> None:
    """Draw both fronts, of training and held-out text, and the weighted sum over t."""
    panels = figure.subplots(1, 3)
    for axes, part in zip(panels, PARTS, strict=False):
        _draw_front(axes, rows, part)
    _draw_sums(panels[2], rows)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)


def _draw_front(axes: Axes, rows: Sequence[Row], part: str) -> None:
    for method, label in METHODS.items():
        front(axes, [*fronts(rows, method, part).values()], LOOKS[method], label=label)
    axes.set_xlabel("auxiliary loss: English, nats a byte")
    axes.set_ylabel("main loss: source text, nats a byte")
    axes.set_title(PARTS[part])


def _draw_sums(axes: Axes, rows: Sequence[Row]) -> None:
    found = weights(rows)
    for method, label in METHODS.items():
        best = []
        for t in found:
            of_lams = sums(rows, method, "train", t)
            best.append(of_lams[:, int(of_lams.mean(axis=0).argmin())])
        band(axes, found, np.transpose(best), LOOKS[method], label=label)
    axes.set_xscale("logit", one_half="1/2")
    axes.set_xticks(found, [f"{t:.2g}" for t in found])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("t")
    axes.set_ylabel("(1 - t) main + t auxiliary loss, best lam")
    axes.set_title(PARTS["train"])


CLAIM = Claim(
    name="figure-5a",
    where="Figures 5a and 6",
    says=(
        "Language models of a large and a small corpus: Bloop's front lies below mixed training's,"
        " and for small t its final (1 - t) L_main + t L_aux is lower than mixed training's, which"
        " minimises it directly."
    ),
    settings=settings,
    measure=measure,
    read=read,
    draw=draw,
    needs=("torch",),
    size=(11.0, 4.2),
)
