"""Making a catalogued mistake of a few lines of code."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bloop_proofs.cases import Gradient
from bloop_proofs.gradients import unflatten
from bloop_proofs.methods.bloop.definition import SIGNATURE
from bloop_proofs.methods.bloop.mistakes.pieces import (
    Now,
    Pair,
    Part,
    Whole,
    average,
    direction,
    inner,
    like,
)
from bloop_proofs.mistakes.formula import Entry
from bloop_proofs.mistakes.mistake import Catalogued, Group, Mistake, as_listed, catalogued
from bloop_proofs.rows import share
from bloop_proofs.subject import Step, flat


def protocol(whole: Whole) -> Step:
    """Return a step in the protocol's form."""

    def step(g_main: Gradient, g_aux: Gradient, ema: Gradient, *, lam: float, rho: float) -> Pair:
        return whole(Now(g_main, g_aux, ema, lam, rho))

    return step


SENTENCES = {
    "coefficient": "The coefficient is {}.",
    "direction": "The direction is {}.",
    "ema": "The new EMA is {}.",
}
"""What a mistake does that says no more than its formula."""


def listed(text: str, *, group: Group = "equations") -> tuple[Mistake, ...]:
    """Return the mistakes of a text that exchange the coefficient, the direction or the new EMA.

    The formulas know g, a, e, lam and rho, the right direction d and the right new EMA e', and what
    stands in ``KNOWN``.
    """

    def step(entry: Entry) -> Step:
        return protocol(lambda s: _exchanged(entry, s))

    return as_listed(SIGNATURE, text, step, SENTENCES, group)


def by_leaf(x: Gradient, y: Gradient) -> np.ndarray:
    """Return the inner product of each leaf with its own."""
    return np.array([inner([u], [v]) for u, v in zip(x, y, strict=True)])


def as_complex(x: Gradient) -> np.ndarray:
    """Return a long vector that is complex where all leaves are."""
    return flat(x).view(np.complex128 if all(leaf.dtype.kind == "c" for leaf in x) else np.float64)


KNOWN: dict[str, Callable[[Now], Any]] = {
    "A": lambda s: as_complex(s.a),
    "E": lambda s: as_complex(s.e),
    "aes": lambda s: by_leaf(s.a, s.e),
    "cleaned": lambda s: lambda x: np.where(np.isfinite(x), x, 0.0),
    "conj": lambda s: np.conj,
    "ees": lambda s: by_leaf(s.e, s.e),
    "finite": lambda s: lambda x: bool(np.all(np.isfinite(x))),
    "iscomplexobj": lambda s: np.iscomplexobj,
    "n": lambda s: sum(x.size for x in s.e),
    "nan_to_num": lambda s: np.nan_to_num,
    "top": lambda s: float(np.finfo(s.g[0].dtype).max),
    "zero": lambda s: np.zeros(flat(s.e).size),
}
"""What else formulas may name: sums by leaf, complex vectors, and what NaN is replaced by."""


def _exchanged(entry: Entry, s: Now) -> Pair:
    """Return the outputs of a right step with a part exchanged, computed on long vectors."""
    g, a, e = map(flat, (s.g, s.a, s.e))
    after = (1 - s.rho) * e + s.rho * g
    names = {"g": g, "a": a, "e": e, "lam": s.lam, "rho": s.rho, "after": after}
    names |= {name: KNOWN[name](s) for name in entry.names if name in KNOWN}
    c = entry.value("coefficient", names) if "coefficient" in entry.parts else share(a, e)
    if np.ndim(c):  # one for each leaf
        c = np.repeat(c, [flat([leaf]).size for leaf in s.e])
    part = (c * as_complex(s.e)).view(np.float64) if np.iscomplexobj(c) else c * e
    d = g + s.lam * (a - part)
    if "direction" in entry.parts:
        d = entry.value("direction", {**names, "d": d})
    if "ema" in entry.parts:
        after = entry.value("ema", {**names, "d": d})
    return unflatten(d, s.g), unflatten(after, s.e)


def wrong_step(
    *, where: str, mend: str, group: Group = "numerics", unit: float = 0.0
) -> Catalogued:
    """Make a mistake of a function that returns a direction and a new EMA."""

    def decorate(whole: Whole) -> Mistake:
        step = protocol(whole)
        about = {"where": where, "mend": mend, "group": group, "unit": unit}
        return catalogued(SIGNATURE, whole, lambda: step, **about)

    return decorate


def wrong_direction(*, where: str, mend: str, group: Group = "equations") -> Catalogued:
    """Make a mistake of a function that returns a wrong direction; the EMA is right."""

    def decorate(part: Part) -> Mistake:
        step = protocol(lambda s: (like(part(s), s.g), like(average(s), s.e)))
        return catalogued(SIGNATURE, part, lambda: step, where=where, mend=mend, group=group)

    return decorate


def wrong_average(*, where: str, mend: str, group: Group = "equations") -> Catalogued:
    """Make a mistake of a function that returns a wrong new EMA; the direction is right."""

    def decorate(mean: Part) -> Mistake:
        step = protocol(lambda s: (like(direction(s), s.g), like(mean(s), s.e)))
        return catalogued(SIGNATURE, mean, lambda: step, where=where, mend=mend, group=group)

    return decorate


def wrong_object(
    *, where: str, mend: str, group: Group = "numerics", remembers: bool = True
) -> Catalogued:
    """Make a mistake of a function that returns a step with a memory."""

    def decorate(make: Callable[[], Whole]) -> Mistake:
        about: dict[str, Any] = {"where": where, "mend": mend, "group": group}
        return catalogued(SIGNATURE, make, lambda: protocol(make()), remembers=remembers, **about)

    return decorate
