"""One mistake: in the average, its order, its convention, or what it is an average of."""

from typing import Any

import numpy as np

from bloop_proofs.adapters import from_class
from bloop_proofs.subject import Step
from tests.proofs.fresh.entries import EARLY, SWAPPED, single
from tests.proofs.right.leafwise import dot
from tests.proofs.right.pieces import Leaves, cut, double, given_back, joined, wide


def off(a: np.ndarray, e: np.ndarray) -> np.ndarray:
    """The part of one long vector orthogonal to another."""
    return a - np.vdot(e, a) / np.vdot(e, e) * e if e.any() else a


def removed(a: Leaves, e: Leaves) -> list[Any]:
    """The part of one list of arrays orthogonal to another."""
    a, e = [double(x) for x in a], [double(x) for x in e]
    square = dot(e, e)
    c = dot(e, a) / square if square else 0.0
    return [x - c * y for x, y in zip(a, e, strict=True)]


def mixed(g: Leaves, part: list[Any], lam: float) -> Leaves:
    return given_back([x + lam * p for x, p in zip(g, part, strict=True)], g)


def moved(e: Leaves, g: Leaves, rho: float) -> Leaves:
    return given_back(
        [(1 - rho) * double(x) + rho * y for x, y in zip(e, g, strict=True)],
        e,
    )


@single(EARLY)
def early_on_one_vector(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Moves the flat average first and projects by its unit vector."""
    g, u, v = joined(m), joined(a), joined(e)
    v = v + rho * (g - v)
    size = np.linalg.norm(v)
    n = v / size if size > 0 else v
    return cut(g + lam * (u - (n @ u) * n), m), cut(v, e)


class Early:
    def __init__(self, lam: float, rho: float) -> None:
        self.lam, self.rho = lam, rho
        self.ema: Leaves = []

    def step(self, main: Leaves, aux: Leaves) -> Leaves:
        self.ema = moved(self.ema, main, self.rho)
        e = [double(x) for x in self.ema]
        size = np.sqrt(sum(float(np.sum(np.abs(x) ** 2)) for x in e))
        along = dot([double(x) for x in aux], e) / size if size else 0.0
        unit = [x / size if size else x for x in e]
        return mixed(main, [x - along * u for x, u in zip(aux, unit, strict=True)], self.lam)


@single(EARLY, made=True)
def early_in_a_class() -> Step:
    """An object whose step moves its average, then projects on it."""
    return from_class(Early)


@single("zero-ema-means-the-main-gradient")
def own_gradient_at_the_start(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """While there is no average yet the gradient of the batch stands for it in the projection."""
    reference = e if any(x.any() for x in e) else m
    return mixed(m, removed(a, reference), lam), moved(e, m, rho)


@single("zero-ema-becomes-the-whole-gradient")
def starts_at_the_first(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The first gradient is the first average, in place of rho times it."""
    first = not any(np.count_nonzero(x) for x in e)
    average = [np.array(x, dtype=y.dtype) for x, y in zip(m, e, strict=True)]
    return mixed(m, removed(a, e), lam), average if first else moved(e, m, rho)


@single(SWAPPED)
def beta_for_rho(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Takes rho for the decay: e <- rho e + (1 - rho) g."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * off(u, v), m), cut(rho * v + (1 - rho) * g, e)


@single("ema-has-no-dampening")
def heavy_ball(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Momentum without dampening: e <- (1 - rho) e + g."""
    average = [(1 - rho) * double(x) + double(g) for x, g in zip(e, m, strict=True)]
    return mixed(m, removed(a, e), lam), given_back(average, e)


@single("ema-never-decays")
def never_forgets(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Adds without decay: e <- e + rho g."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * off(u, v), m), cut(v + rho * g, e)


@single("ema-moves-away-from-the-gradient")
def lerp_backwards(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """A sign: e <- e + rho (e - g)."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * off(u, v), m), cut(v + rho * (v - g), e)


@single("rho-is-taken-for-a-span")
def window_of_pandas(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Takes 1 / rho for the span of a window, so that the weight is 2 rho / (1 + rho)."""
    alpha = 2 / (1 + 1 / rho) if rho else 0.0
    return mixed(m, removed(a, e), lam), moved(e, m, alpha)


@single("ema-is-stored-with-its-bias-corrected")
def debiased_and_kept(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Keeps the average that is corrected for bias, always as after one step: over rho."""
    average = [double(x) * (1 - rho) + rho * y for x, y in zip(e, m, strict=True)]
    kept = [x / rho for x in average] if rho else average
    return mixed(m, removed(a, e), lam), given_back(kept, e)


@single("ema-is-brought-to-length-one")
def unit_average(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Brings the new average to length one."""
    g, u, v = joined(m), joined(a), joined(e)
    new = (1 - rho) * v + rho * g
    size = np.sqrt(new @ new)
    return cut(g + lam * off(u, v), m), cut(new / size if size else new, e)


@single("ema-averages-unit-gradients")
def average_of_unit_gradients(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Averages the main gradient over its norm."""
    g, u, v = joined(m), joined(a), joined(e)
    size = np.linalg.norm(g)
    unit = g / size if size else g
    return cut(g + lam * off(u, v), m), cut(v - rho * v + rho * unit, e)


@single("ema-averages-the-direction")
def average_of_directions(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Averages the direction that it returns."""
    d = mixed(m, removed(a, e), lam)
    return d, moved(e, d, rho)


@single("ema-averages-the-auxiliary-gradient")
def average_of_the_other(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Averages the auxiliary gradient."""
    g, u, v = joined(m), joined(a), joined(e)
    return cut(g + lam * off(u, v), m), cut(v + rho * (u - v), e)


@single("ema-averages-the-sum-of-the-gradients")
def average_of_the_sum(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """Averages the gradient of the whole loss, L_main + lam L_aux."""
    total = [double(x) + lam * y for x, y in zip(m, a, strict=True)]
    return mixed(m, removed(a, e), lam), moved(e, total, rho)


@single("ema-is-never-updated")
def forgets_to_return(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The new average is lost: a copy of the old one is returned."""
    d = mixed(m, removed(a, e), lam)
    average = [x.copy() for x in e]
    for x, g in zip(average, m, strict=True):
        x = (1 - rho) * x + rho * wide(g)
    return d, average


@single("ema-averages-clipped-gradients")
def clipped_before_averaging(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The gradient that enters the average is clipped to norm one."""
    g, u, v = joined(m), joined(a), joined(e)
    size = np.linalg.norm(g)
    bounded = g * (1 / size) if size > 1 else g
    return cut(g + lam * off(u, v), m), cut((1 - rho) * v + rho * bounded, e)


@single("ema-is-updated-twice")
def twice_per_step(m: Leaves, a: Leaves, e: Leaves, *, lam: float, rho: float) -> Any:
    """The average moves once for each of the two losses, both times towards g_main."""
    d = mixed(m, removed(a, e), lam)
    wide_e = [double(x) for x in e]
    for _ in range(2):
        wide_e = moved(wide_e, m, rho)
    return d, given_back(wide_e, e)
