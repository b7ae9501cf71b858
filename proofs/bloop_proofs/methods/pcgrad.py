"""PCGrad: every gradient is projected off those that it conflicts with."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import law, require
from bloop_proofs.laws import relations
from bloop_proofs.laws.measure import bound, found, require_close, require_right
from bloop_proofs.methods.pairs import off_each_other, per_loss_scale
from bloop_proofs.mistakes.mistake import listed
from bloop_proofs.rows import (
    Orders,
    ascending,
    off,
    vectors,
)
from bloop_proofs.signature import Signature, any_of, every_order
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject
from bloop_proofs.tolerances import norm
from bloop_proofs.truths.products import Products, by

Meeting = Callable[[Any, Any, Any, Any], Any]
"""Of gradient i as it is by now with g_j, given g_i, and gradient j as it is by now."""


def pcgrad(
    g: Any,
    *,
    orders: Orders | None,
    lam: float,
    meet: Meeting = lambda x, y, raw, altered: off(x, y),
) -> Any:
    """Return PCGrad's direction, with another meeting of two gradients if one is given."""
    parts = list(g)
    for i, order in enumerate(ascending(orders, len(g))):
        for j in order:
            parts[i] = meet(parts[i], g[j], g[i], parts[j])
    return parts[0] + lam * sum(parts[1:])


SIGNATURE = Signature(
    "pcgrad",
    "d = sum_i lam_i g_i', g_i' projected in turn off every g_j that it conflicts with; "
    "lam_0 = 1, the other lam_i = lam, 1 in the original.",
    "Yu et al. 2020",
    by(Products(pcgrad)),
    optional={"orders": (every_order, None), "lam": (any_of(1.0, 0.5, 2.0), 1.0)},
)


@law(equation="two losses", inputs=inputs(SIGNATURE))
def two_gradients_are_projected_off_each_other(subject: Subject, case: Case) -> None:
    """d = m + lam a where <m, a> >= 0, else pi(m; a) + lam pi(a; m)."""
    m, a = vectors(case)
    required = off_each_other(m, a, case.lam)
    require_close("direction", found(subject, case), required, bound(subject, case))


@law(equation="two losses", inputs=inputs(SIGNATURE))
def neither_of_two_losses_rises(subject: Subject, case: Case) -> None:
    """<d, m> >= 0 and <d, a> >= 0."""
    d, room = found(subject, case), bound(subject, case)
    for name, g in zip(("m", "a"), vectors(case), strict=True):
        least = -room * norm(g)
        require(d @ g >= least, f"<d, {name}> must be at least {least:.3g}; found {d @ g:.6g}")


def _turned(case: Case) -> Case:
    """Return a case of three gradients, the first of which ends at an obtuse angle to itself."""
    entries = ((1.0, 0.0), (-1.0, 1.0), (-10.0, -1.0))
    dtype = case.gradients[0][0].dtype
    return case.but(
        gradients=[
            [np.array(entry, dtype) * dtype.type(2.0**k)]
            for entry, k in zip(entries, case.exponents, strict=True)
        ]
    )


@law(
    equation="more losses",
    inputs=inputs(
        SIGNATURE,
        losses=(3,),
        shapes=(((2,),),),
        numbers={"exponents": ((0, 0, 0), (1, 0, -2), (-3, 2, 1))},
        then=_turned,
    ),
    may_refuse=relations.MORE,
)
def no_gradient_is_projected_off_itself(subject: Subject, case: Case) -> None:
    """A gradient meets the others only, also where they have turned it against itself."""
    require_right(subject, case)


RELATIONS = (
    *relations.of_products(SIGNATURE),
    relations.symmetric(SIGNATURE),
    per_loss_scale(SIGNATURE),
    relations.zeros(SIGNATURE, "d = m + lam a where one of the two is 0."),
    relations.antiparallel(SIGNATURE, "d = 0 for a = -s m: opposed gradients cancel."),
)


FORMULAS = listed(
    SIGNATURE,
    pcgrad,
    """
at g <- pi(g; g_j) where <g, g_j> < 0
projects-without-a-conflict: Every gradient is projected off every other, whatever their angle.
    meet(x, y) = x - <x, y> / ||y||^2 y
    -> Project only where the inner product is negative.
projects-where-gradients-agree: Gradients are projected where their inner product is positive.
    meet(x, y) = x - max(<x, y> / ||y||^2, 0) y
    -> Project where the inner product is below 0, not above.
projects-off-gradients-already-projected
    What gradient i meets are the others as altered before it.
    meet(x, y, raw, altered) = off(x, altered)
    -> Project off the gradients as they came: keep a copy.
subtracts-a-multiple-of-itself
    g_i loses a multiple of itself, as Table 1 of the Bloop paper prints it. For two losses of
    weight 1 the two misprints cancel in the sum.
    meet(x, y, raw, altered) = x - min(<y, raw> / ||raw||^2, 0) raw
    -> Subtract a multiple of g_j from g_i, not of g_i itself.
projects-off-itself-at-last: Gradient i meets itself after all others.
    orders = [[*order, i] for i, order in enumerate(ascending(orders, K))]
    -> Leave a gradient itself out of those that it meets.
projects-the-raw-gradient-each-time
    All parts are those of the raw gradient, subtracted together.
    meet(x, y, raw, altered) = x - min(<raw, y> / ||y||^2, 0) y
    -> Project one after the other, each time what is left.
at the order
order-is-always-ascending: The orders are not looked at, though they are taken.
    orders = None
    -> Meet the others in the order given, row i for g_i.
order-is-reversed: The last of each order is met first.
    orders = [order[::-1] for order in ascending(orders, K)]
    -> Meet the others in the order given, not in its reverse.
at g <- pi(g; g_j) where <g, g_j> < 0
divides-by-the-norm-of-the-other: The coefficient is <g, g_j> / ||g_j||.
    meet(x, y) = x - min(<x, y> / ||y||, 0) y
    -> Divide by ||g_j||^2.
divides-by-its-own-norm: The coefficient is <g, g_j> / ||g||^2.
    meet(x, y) = x - min(<y, x> / ||x||^2, 0) y
    -> Divide by the norm of g_j, on which g is projected.
part-along-the-other-is-added: In conflict the part along g_j is doubled.
    meet(x, y) = x + min(<x, y> / ||y||^2, 0) y
    -> Subtract the part along g_j; it is negative already.
epsilon-beside-the-squared-norm: The coefficient is <g, g_j> / (||g_j||^2 + 1e-8).
    meet(x, y) = x - min(<x, y>, 0) / (<y, y> + {1e-8}) y
    -> Divide by ||g_j||^2 alone: a zero g_j has no conflict.
at d = sum_i lam_i g_i'
gradients-are-averaged: The direction is divided by the number of losses.
    d = d / K
    -> Add the projected gradients; do not take their mean.
only-the-main-gradient-is-projected: The direction is m' + lam a, without conflict or with it.
    orders = main_only(orders, K)
    -> Project the auxiliary gradients too.
only-the-auxiliary-gradients-are-projected: The direction is m + lam a'.
    orders = [[], *ascending(orders, K)[1:]]
    -> Project the main gradient too: no loss comes first.
weight-is-taken-but-not-used: All weights are 1.
    lam = 1
    -> Weigh the auxiliary gradients by the lam that is given.
    """,
)
