"""The dynamic barrier: the main loss falls at least as fast as under its own gradient."""

from typing import Any

import numpy as np

from bloop_proofs import exact
from bloop_proofs.cases import Case
from bloop_proofs.gradients import nonzero
from bloop_proofs.law import law
from bloop_proofs.laws.measure import bound, found, require_close, require_small
from bloop_proofs.laws.relations import antiparallel, of_products, zeros
from bloop_proofs.mistakes.mistake import listed
from bloop_proofs.rows import LAMS, positive, share, vectors
from bloop_proofs.signature import Signature, any_of
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject, flat
from bloop_proofs.tolerances import norm
from bloop_proofs.truths.products import Products, by


def dynamic_barrier(g: Any, *, lam: float) -> Any:
    """Return the dynamic barrier's direction."""
    return lam * g[1] + positive(1 - lam * share(g[1], g[0])) * g[0]


SIGNATURE = Signature(
    "dynamic_barrier",
    "d = lam a + max(1 - lam <m, a> / ||m||^2, 0) m.",
    "Gong et al. 2021, with lam",
    by(Products(dynamic_barrier)),
    options={"lam": any_of(*LAMS)},
    most_losses=2,
)


def _main_not_zero(case: Case) -> Case:
    return case.but(gradients=[nonzero(case.gradients[0]), case.gradients[1]])


@law(equation="barrier", inputs=inputs(SIGNATURE, then=_main_not_zero))
def main_loss_falls_by_the_barrier_or_more(subject: Subject, case: Case) -> None:
    """<d, m> = max(||m||^2, lam <m, a>)."""
    m, a = vectors(case)
    required = max(float(m @ m), case.lam * float(m @ a))
    difference = float(found(subject, case) @ m) - required
    require_small("<d, m> - max(||m||^2, lam <m, a>)", difference, bound(subject, case) * norm(m))


def _in_conflict(case: Case) -> Case:
    main, aux = _main_not_zero(case).gradients
    sign = -1.0 if flat(main) @ flat(aux) > 0 else 1.0
    return case.but(gradients=[main, [np.asarray(sign * x, x.dtype) for x in aux]])


@law(equation="eq. 3 of Bloop", inputs=inputs(SIGNATURE, then=_in_conflict))
def in_conflict_it_is_full_batch_bloop(subject: Subject, case: Case) -> None:
    """Where <m, a> <= 0, d = m + lam pi(a; m)."""
    main, aux = case.gradients
    required = exact.direction(main, aux, main, lam=case.lam)
    require_close("direction", found(subject, case), required, bound(subject, case))


RELATIONS = (
    *of_products(SIGNATURE),
    zeros(SIGNATURE, "d = lam a for m = 0, and d = m for a = 0."),
    antiparallel(SIGNATURE, "d = m for a = -s m."),
)


FORMULAS = listed(
    SIGNATURE,
    dynamic_barrier,
    """
at d = lam a + max(1 - lam <m, a> / ||m||^2, 0) m
barrier-is-the-auxiliary-norm-squared: The barrier is ||a||^2, as the paper's section 4 prints it.
    d = lam a + max((<a, a> - lam <m, a>) / <m, m>, 0) m
    -> The barrier is ||m||^2, that of the main gradient.
weight-is-not-held-above-zero: The direction is lam a + (1 - lam <m, a> / ||m||^2) m.
    d = lam a + (1 - lam (<a, m> / ||m||^2)) m
    -> Hold the weight of m at 0 or above.
weight-is-missing-in-the-maximum: The weight of m is max(1 - <m, a> / ||m||^2, 0).
    d = lam a + max(1 - <a, m> / ||m||^2, 0) m
    -> Weigh a by lam inside the maximum too.
auxiliary-gradient-is-not-weighted: The direction is a + max(1 - lam <m, a> / ||m||^2, 0) m.
    d = a + max(1 - lam (<a, m> / ||m||^2), 0) m
    -> Multiply a by lam.
divides-by-the-auxiliary-norm-squared: The weight of m is max(1 - lam <m, a> / ||a||^2, 0).
    d = lam a + max(1 - lam (<m, a> / ||a||^2), 0) m
    -> Divide by ||m||^2, not by ||a||^2.
main-gradient-only-where-it-is-needed
    The weight of m is max(-lam <m, a> / ||m||^2, 0): the barrier is 0.
    d = lam a + max(-lam (<a, m> / ||m||^2), 0) m
    -> Keep the 1: the main loss falls at its own rate.
epsilon-added-to-the-main-norm: The weight of m is max(1 - lam <m, a> / (||m||^2 + 1e-8), 0).
    d = lam a + max(1 - lam <m, a> / (<m, m> + {1e-8}), 0) m
    -> Divide by ||m||^2 alone; d = lam a for m = 0.
    """,
)
