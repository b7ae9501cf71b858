"""A step as a stranger writes it, with mistakes to be switched on, and what each is called.

``python -m tests.proofs.pairs`` diagnoses all pairs of these mistakes, ``... 3`` all triples of
which one is of dtypes, and prints those whose names are not both, or all, found.
"""

import sys
import time
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from bloop_proofs.diagnosis import diagnose
from bloop_proofs.methods import BLOOP
from bloop_proofs.report import Diagnosis
from bloop_proofs.subject import Step, Subject

EPSILON = 1e-7
NAMES = {
    "early": "ema-is-updated-before-the-projection",
    "beside": "epsilon-1e-7-is-added-to-the-square",
    "under": "epsilon-1e-7-is-added-to-the-norm",
    "unguarded": "zero-ema-gives-nan",
    "by leaf": "projects-leaf-by-leaf",
    "float32": "inner-products-are-in-single-precision",
    "real": "imaginary-parts-are-lost",
    "half": "ema-is-updated-in-the-dtype-of-the-gradient",
    "rescaled": "direction-is-multiplied-by-one-plus-lam",
    "other loss": "ema-averages-the-auxiliary-gradient",
    "exchanged": "roles-are-exchanged",
    "summed": "projection-is-added-to-the-summed-gradient",
    "gated": "projects-only-in-conflict",
}
"""The mistakes that are switched on, by the words that switch them.

That the average starts from the parameters does not show in a step, which is given its EMA.
"""
DTYPES = ("float32", "real", "half")
DENOMINATORS = ("beside", "under", "unguarded")
"""Of these a step has one."""
SAME = {("other loss", "exchanged"): "roles-are-exchanged-in-the-direction"}
"""Who exchanges the roles and averages the other loss averages the main gradient, as is right."""


def step_with(*wrong: str) -> Step:
    """A step of Bloop with some mistakes."""

    def step(g_main: Any, g_aux: Any, ema: Any, *, lam: float, rho: float) -> Any:
        m, a, e = g_main, g_aux, ema
        if "exchanged" in wrong:
            m, a = a, m
        if "real" in wrong:
            m, a, e = ([x.real for x in vector] for vector in (m, a, e))
        new = averaged(e, a if "other loss" in wrong else m, rho, narrow="half" in wrong)
        onto = new if "early" in wrong else e
        direction = []
        for i, (g, x, v) in enumerate(zip(m, a, onto, strict=True)):
            leaves = [i] if "by leaf" in wrong else range(len(m))
            c = coefficient([a[j] for j in leaves], [onto[j] for j in leaves], wrong)
            first = g + x if "summed" in wrong else g
            d = first + lam * (x - c * v)
            direction.append((1 + lam) * d if "rescaled" in wrong else d)
        return like(direction, g_main), like(new, ema)

    return step


def averaged(old: Any, new: Any, rho: float, *, narrow: bool) -> Any:
    if not narrow:
        return [(1 - rho) * e + rho * g for e, g in zip(old, new, strict=True)]
    pairs = zip(old, new, strict=True)
    return [((1 - rho) * e).astype(g.dtype) + (rho * g).astype(g.dtype) for e, g in pairs]


def coefficient(a: Any, v: Any, wrong: tuple[str, ...]) -> Any:
    along, square = (summed(x, v, single="float32" in wrong) for x in (a, v))
    if "beside" in wrong:
        c = along / (square + EPSILON)
    elif "under" in wrong:
        c = along / (np.sqrt(square) + EPSILON) ** 2
    else:
        c = np.true_divide(along, square) if square or "unguarded" in wrong else 0.0
    return np.minimum(c, 0) if "gated" in wrong else c


def summed(x: Any, y: Any, *, single: bool) -> Any:
    real, twin = (np.float32, np.complex64) if single else (np.float64, np.complex128)
    kinds = [twin if p.dtype.kind == "c" else real for p in x]
    rows = zip(x, y, kinds, strict=True)
    return sum(np.sum(np.conj(p.astype(t)) * q.astype(t)).real for p, q, t in rows)


def like(vector: Any, model: Any) -> Any:
    return [np.asarray(x).astype(m.dtype) for x, m in zip(vector, model, strict=True)]


def choices(count: int) -> Iterator[tuple[str, ...]]:
    """The combinations that can be made: one denominator, and beyond two one of dtypes."""
    for wrong in combinations(NAMES, count):
        if len({*wrong} & {*DENOMINATORS}) < 2 and (count < 3 or len({*wrong} & {*DTYPES}) == 1):
            yield wrong


def expected(wrong: tuple[str, ...]) -> set[str]:
    """The names of some mistakes, of those that give the same the shorter."""
    names = {NAMES[word] for word in wrong}
    for words, same in SAME.items():
        if {*words} <= {*wrong}:
            names = names - {NAMES[word] for word in words} | {same}
    return names


def diagnosed(*wrong: str) -> Diagnosis:
    subject = Subject(step_with(*wrong), BLOOP.right.framework, BLOOP.signature)
    return diagnose(subject, seed=0)[0]


def main(count: int) -> None:
    good = tried = 0
    started = time.process_time()
    for wrong in choices(count):
        found = diagnosed(*wrong)
        tried += 1
        good += {*found.names} == expected(wrong)
        if {*found.names} != expected(wrong) or not found.proved:
            print(", ".join(wrong), found, sep="\n  ", flush=True)
    seconds = (time.process_time() - started) / tried
    print(f"{good} of {tried} found whole, {seconds:.2f} s each")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
