"""The laws of a step between, ``Bloop(every=m)``: an extension of this project, not in ``LAWS``.

The subject is ``step(x, held, ema, *, lam, rho) -> (direction, new_ema)``, x the gradient of
L_main + lam L_aux and ``held`` the remembered auxiliary gradient A. It has the form of Bloop's own
step, and so do its cases: ``g_main`` is x there, and ``g_aux`` is A.
"""

from fractions import Fraction

import numpy as np

from bloop_proofs import exact
from bloop_proofs.cases import Case
from bloop_proofs.law import Law, law
from bloop_proofs.laws.invariances import mix
from bloop_proofs.laws.measure import direction_tolerance, require_close, require_small
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject, flat
from bloop_proofs.tolerances import (
    average_bound,
    norm,
    underflow_bound,
    unit_roundoff,
)
from bloop_ref import Bloop, State

EXTENSION = "the extension of every m-th full step"


def required(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return the exact direction and new EMA, by the reference on fractions."""
    x, held, ema = map(exact.fractions, (case.g_main, case.g_aux, case.ema))
    method = Bloop(Fraction(case.lam), Fraction(case.rho), every=2)
    direction, after = method.step([x], State((ema, held), (), np.int32(1), np.int32(0)))
    return exact.rounded(direction), exact.rounded(after.ema)


def new_ema_tolerance(case: Case) -> float:
    """Return how far the new EMA may be from the exact one.

    It is the average with x - lam A for the main gradient, which rounds twice itself before it
    enters with the weight rho: 2 u (||x|| + lam ||A||) more.
    """
    u, coarse = unit_roundoff(case.ema), unit_roundoff(case.g_main, case.g_aux)
    entering: float = norm(flat(case.g_main)) + case.lam * norm(flat(case.g_aux))
    bound: float = average_bound(u, coarse, entering, norm(flat(case.ema)), case.rho)
    more: float = 2 * max(u, coarse) * case.rho * entering
    return bound + more + underflow_bound(case.g_main, case.g_aux, case.ema)


@law(group="paper", equation=EXTENSION, inputs=inputs())
def direction_is_x_less_what_the_held_gradient_has_along_e(subject: Subject, case: Case) -> None:
    """d = x - lam <A, e> / ||e||^2 e, e the EMA before the step."""
    found = flat(subject.of(case).direction)
    require_close("direction", found, required(case)[0], direction_tolerance(case))


@law(group="paper", equation=EXTENSION, inputs=inputs(zero_ema=True))
def new_ema_takes_x_less_the_held_gradient(subject: Subject, case: Case) -> None:
    """e <- (1 - rho) e + rho (x - lam A)."""
    found = flat(subject.of(case).new_ema)
    require_close("new_ema", found, required(case)[1], new_ema_tolerance(case))


@law(group="paper", equation=EXTENSION, inputs=inputs())
def what_is_taken_out_of_x_along_e_is_the_held_gradients(subject: Subject, case: Case) -> None:
    """<d - x, e> = -lam <A, e>: x itself is not projected."""
    change = flat(subject.of(case).direction) - flat(case.g_main)
    held, e = flat(case.g_aux), flat(case.ema)
    left = float((change + case.lam * held) @ e)
    require_small("<d - x + lam A, ema>", left, direction_tolerance(case) * norm(e))


def _measured(case: Case) -> Case:
    """Make x of the gradient ``main`` and of A."""
    return case.but(g_main=mix((1.0, case.main), (case.lam, case.g_aux)))


@law(
    group="paper",
    equation=EXTENSION,
    # powers of two, with which x is exact
    inputs=inputs(more=("main",), lams=(1.0, 2.0, 0.5, 0.125), zero_ema=True, then=_measured),
)
def where_the_held_gradient_is_right_it_is_bloop(subject: Subject, case: Case) -> None:
    """Where A = g_aux and x = g_main + lam g_aux, d and the new EMA are those of Bloop."""
    output = subject.of(case)
    direction = exact.direction(case.main, case.g_aux, case.ema, lam=case.lam)
    average = exact.average(case.ema, case.main, rho=case.rho)
    require_close("direction", flat(output.direction), direction, direction_tolerance(case))
    require_close("new_ema", flat(output.new_ema), average, new_ema_tolerance(case))


BETWEEN_LAWS: tuple[Law, ...] = tuple(x for x in list(vars().values()) if isinstance(x, Law))
"""The laws of a step between, in the order in which they are tried."""
