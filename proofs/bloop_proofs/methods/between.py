"""A step between, ``Bloop(every=m)``: an extension of this project, none of the paper's.

x is the gradient of L_main + lam L_aux and A the held auxiliary gradient, which stands for g_aux.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from bloop_proofs import exact
from bloop_proofs.cases import Case, Gradient
from bloop_proofs.gradients import nonzero, unflatten
from bloop_proofs.law import law
from bloop_proofs.laws import relations
from bloop_proofs.laws.measure import require_close, require_small
from bloop_proofs.mistakes.distances import finite_part
from bloop_proofs.mistakes.formula import Parts
from bloop_proofs.mistakes.looks import Probe, Probes, Sizes, history, values
from bloop_proofs.mistakes.mistake import as_listed
from bloop_proofs.mistakes.names import Names, Right
from bloop_proofs.signature import Answer, Signature, any_of
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Step, Subject, flat
from bloop_proofs.tolerances import (
    average_bound,
    direction_bound,
    norm,
    underflow_bound,
    unit_roundoff,
)

LAMS = (1.0, 2.0, 0.5, 0.125, 3.0, 0.1, 10.0)
POWERS = (1.0, 2.0, 0.5, 0.125)
"""Weights with which x is exact."""
RHOS = (0.5, 0.25, 0.125, 0.75, 0.1, 0.01, 1.0, 0.0)


def main_estimate(case: Case) -> exact.Vector:
    """Return x - lam A, which stands for the main gradient, exactly."""
    return exact.plus(exact.fractions(case.x), -case.lam, exact.fractions(case.held))


def answers(method: Signature, case: Case, near: np.ndarray | None) -> Iterator[Answer]:
    """Yield Bloop's step on (x - lam A, A), which a step between is, exactly."""
    main, held, ema = main_estimate(case), exact.fractions(case.held), exact.fractions(case.ema)
    room = bounds(case)
    yield {
        "direction": (
            exact.rounded(exact.equation_5(main, held, ema, case.lam)),
            room["direction"],
        ),
        "new_ema": (exact.rounded(exact.moved(ema, main, case.rho)), room["new_ema"]),
    }


def bounds(case: Case) -> Mapping[str, float]:
    """Return how far both outputs may be from the exact ones.

    The average is that of x - lam A, which rounds twice itself before it enters with the weight
    rho: 2 u (||x|| + lam ||A||) more.
    """
    x, held, ema = (norm(flat(case[name])) for name in SIGNATURE.vectors)
    u, coarse = unit_roundoff(case.ema), unit_roundoff(case.x, case.held)
    least = underflow_bound(case.x, case.held, case.ema)
    direction = direction_bound(max(u, coarse), flat(case.x).size, x, held, case.lam)
    entering = x + case.lam * held
    average = average_bound(u, coarse, entering, ema, case.rho)
    more = 2 * max(u, coarse) * case.rho * entering
    return {"direction": direction + least, "new_ema": average + more + least}


def sizes(method: Signature, case: Case) -> Sizes:
    """Return the sizes and unit roundoffs of the direction and of the new EMA."""
    x, held, ema = (norm(finite_part(case[name])) for name in method.vectors)
    u = unit_roundoff(*(case[name] for name in method.vectors))
    return (x + case.lam * held, u), (x + case.lam * held + ema, u)


SIGNATURE = Signature(
    "between",
    "d = x - lam c e, c = <A, e> / ||e||^2, e' = (1 - rho) e + rho (x - lam A).",
    "the extension of every m-th full step",
    answers,
    vectors=("x", "held", "ema"),
    outputs={"direction": 0, "new_ema": 2},
    options={"lam": any_of(*LAMS), "rho": any_of(*RHOS)},
    most_losses=2,
    bounds=bounds,
    sizes=sizes,
)


def _with_average(case: Case) -> Case:
    nonzero(case.ema)
    return case


def _measured(case: Case) -> Case:
    """Make x of the gradient ``main`` and of A."""
    total = flat(case.main) + case.lam * flat(case.held)
    return case.but(x=unflatten(total, case.x))


@law(equation=SIGNATURE.where, inputs=inputs(SIGNATURE, then=_with_average))
def what_is_taken_out_of_x_along_e_is_the_held_gradients(subject: Subject, case: Case) -> None:
    """<d - x, e> = -lam <A, e>: x itself is not projected."""
    change = flat(subject.of(case).direction) - flat(case.x)
    e = flat(case.ema)
    left = float((change + case.lam * flat(case.held)) @ e)
    require_small("<d - x + lam A, ema>", left, bounds(case)["direction"] * norm(e))


@law(
    equation=SIGNATURE.where,
    inputs=inputs(SIGNATURE, more=("main",), options={"lam": POWERS}, then=_measured),
)
def where_the_held_gradient_is_right_it_is_bloop(subject: Subject, case: Case) -> None:
    """Where A = g_aux and x = g_main + lam g_aux, d and the new EMA are those of Bloop."""
    output, room = subject.of(case), bounds(case)
    direction = exact.direction(case.main, case.held, case.ema, lam=case.lam)
    average = exact.average(case.ema, case.main, rho=case.rho)
    require_close("direction", flat(output.direction), direction, room["direction"])
    require_close("new_ema", flat(output.new_ema), average, room["new_ema"])


LAWS = (
    *relations.definition(SIGNATURE),
    what_is_taken_out_of_x_along_e_is_the_held_gradients,
    where_the_held_gradient_is_right_it_is_bloop,
)


RIGHT = Right(
    """
    d = x - lam c v
    c = <A, v> / ||v||^2
    v = e
    ema = (1 - rho) e + rho g
    g = x - lam A
    after = ema
    """
)
"""A step between, and the parts of it that mistakes exchange: g stands for g_main."""


def step_of(parts: Parts) -> Step:
    """Return a right step in float64, but for the parts that are exchanged."""

    def step(x: Gradient, held: Gradient, ema: Gradient, *, lam: float, rho: float) -> Any:
        known = {"x": flat(x), "A": flat(held), "e": flat(ema), "lam": lam, "rho": rho}
        names = Names(parts, RIGHT, known)
        return unflatten(names["d"], x), unflatten(names["ema"], ema)

    return step


MISTAKES = as_listed(
    SIGNATURE,
    """
at d = x - lam c e, c = <A, e> / ||e||^2
projects-the-mixed-gradient: The direction is pi(x; e), without what g_main has along e.
    d = pi(x; v)
    -> Take A's part along e out of x, not that of x itself.
takes-the-coefficient-of-the-mixed-gradient: The direction is x - lam (<x, e> / ||e||^2) e.
    c = <x, v> / ||v||^2
    -> Take c = <A, e> / ||e||^2.
adds-the-held-gradient: The direction is x + lam pi(A; e), with the auxiliary gradient twice.
    d = x + lam pi(A; v)
    -> Subtract lam c e alone: x has lam g_aux in it already.
projects-on-the-ema-that-x-has-entered: The direction is x - lam c e for the new e.
    v = e'
    -> Compute d with the EMA before the step.
leaves-lam-out-of-the-projection: The direction is x - c e.
    d = x - c v
    -> Subtract lam c e: x holds lam times the gradient.
at e <- (1 - rho) e + rho (x - lam A)
averages-the-mixed-gradient: The new EMA is (1 - rho) e + rho x.
    g = x
    -> Take lam A out of x before it enters e.
averages-x-less-the-held-gradient-unweighted: The new EMA is (1 - rho) e + rho (x - A).
    g = x - A
    -> Take lam A out of x, with the lam of x.
leaves-the-ema-as-it-is: The new EMA is e: it moves on full steps only.
    ema = e
    -> Let x - lam A enter e on every step between.
""",
    step_of,
    lambda entry: entry.statement,
)


@lru_cache(maxsize=4)
def probes_for(
    right: Subject, takes: frozenset[str], dtypes: tuple[str, ...], mutable: bool, seed: int
) -> Probes:
    """Return ordinary inputs, of two leaves and with different weights."""
    drawn = np.random.default_rng(seed).normal(size=(4, 3, 5)).astype(np.float32)
    cases = [
        Case(
            **dict(zip(SIGNATURE.vectors, ([v[:2], v[2:]] for v in row), strict=True)),
            lam=lam,
            rho=rho,
        )
        for row, (lam, rho) in zip(drawn, ((0.5, 0.25), (2.0, 0.1)) * 2, strict=True)
    ]
    return Probes(
        tuple(Probe(values, case, right) for case in cases), (), Probe(history, cases[0], right)
    )
