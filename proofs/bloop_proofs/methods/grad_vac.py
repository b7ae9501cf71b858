"""GradVac: cosines are lifted to a moving average of theirs."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.law import law
from bloop_proofs.laws import relations
from bloop_proofs.laws.measure import bound, found, require_close, require_small
from bloop_proofs.methods.pairs import off_each_other, parts_of, per_loss_scale
from bloop_proofs.mistakes.mistake import listed
from bloop_proofs.rows import (
    BETAS,
    Orders,
    ascending,
    cosine,
    length,
    positive,
    ratio,
    vectors,
)
from bloop_proofs.signature import Signature, any_of, every_order
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject, flat
from bloop_proofs.tolerances import norm, product_error
from bloop_proofs.truths.products import Products, by


def near(x: Any, y: Any, epsilon: float = 0.0) -> float:
    """Return the cosine, 0 with a zero vector."""
    return float(ratio(x @ y, length(x) * length(y) + epsilon))


def lift(
    x: Any, y: Any, target: float, root: Callable[[float], float] = np.sqrt, epsilon: float = 0.0
) -> float:
    """Return how much of y takes the cosine of x with y to a target.

    Wrong steps take no root, or add an epsilon to the norms.
    """
    c = near(x, y, epsilon)
    lifted = target * root(positive(1 - c * c)) - c * root(1 - target * target)
    return float(ratio(length(x) * lifted, length(y) * root(1 - target * target) + epsilon))


def raised(x: Any, y: Any, target: float) -> Any:
    """Return x with its cosine with y at a target at least."""
    return x + lift(x, y, target) * y if not cosine(x, y) >= target else x


def averaged(old: float, before: float, after: float, beta: float) -> float:
    """Return the new target, of the cosine before the lift."""
    return (1 - beta) * old + beta * before


def grad_vac(
    g: Any,
    state: Any,
    *,
    beta: float,
    orders: Orders | None,
    raising: Callable[[Any, Any, float], Any] = raised,
    average: Callable[[float, float, float, float], float] = averaged,
    pair: Callable[[int, int], tuple[int, int]] = lambda i, j: (i, j),
) -> Any:
    """Return GradVac's direction and its targets, some parts exchanged if others are given."""
    targets = dict(state or {})
    parts = []
    for i, order in enumerate(ascending(orders, len(g))):
        x = g[i]
        for j in order:
            target = targets.get(pair(i, j), 0.0)
            new = raising(x, g[j], target)
            targets[pair(i, j)] = average(target, cosine(x, g[j]), cosine(new, g[j]), beta)
            x = new
        parts.append(x)
    return sum(parts), targets


SIGNATURE = Signature(
    "grad_vac",
    "d = sum_i g_i', g_i' lifted in turn to the target cosine t_ij with g_j if below it; "
    "t_ij, 0 at first, becomes (1 - beta) t_ij + beta c, c the cosine before the lift.",
    "Wang et al. 2021",
    by(Products(grad_vac, stateful=True)),
    options={"beta": any_of(*BETAS)},
    optional={"orders": (every_order, None)},
    stateful=True,
)


@law(equation="first step", inputs=inputs(SIGNATURE, earlier=(0,)))
def first_step_is_pcgrad(subject: Subject, case: Case) -> None:
    """The targets start at 0, and the part lifted to a cosine of 0 is the projection."""
    m, a = vectors(case)
    required = off_each_other(m, a, 1.0)
    require_close("direction", found(subject, case), required, bound(subject, case))


@law(equation="lift", inputs=inputs(SIGNATURE, earlier=(1, 2), dtypes=("float64",)))
def cosines_below_the_target_are_lifted_to_it(subject: Subject, case: Case) -> None:
    """After a step both cos(m', a) and cos(a', m) are max(cos(m, a), t), two-sided.

    t is the moving average, from 0, of the cosines of the raw gradients before their lift, beta
    being the weight of the new one, without that of this step. m' and a' are read off d.
    """
    main, aux, room = parts_of(subject, case)
    cosines = [cosine(*map(flat, step)) for step in subject.method.steps(case)]
    target = 0.0
    for old in cosines[:-1]:
        target = (1 - case.beta) * target + case.beta * old
    required = max(cosines[-1], target)
    m, a = vectors(case)
    for name, part, other in (("cos(m', a)", main, a), ("cos(a', m)", aux, m)):
        if norm(part) > 2 * room:  # which is never so where there is no plane
            close = 2 * room / norm(part) + product_error(2.0**-53, m.size)
            require_small(f"{name} - {required:.6g}", cosine(part, other) - required, close)


@law(equation="target", inputs=inputs(SIGNATURE, earlier=(1,)))
def aligned_gradients_raise_the_target(subject: Subject, case: Case) -> None:
    """After a step on (m, m) from the start the target is beta: (m, -m / 2) then gives 0.

    Opposed gradients cancel under any target below 1, for no combination with a positive weight has
    a cosine in between.
    """
    main = case.gradients[0]
    opposed = [np.asarray(-x / 2, x.dtype) for x in main]
    now = case.but(earlier=[[main, main]], gradients=[main, opposed])
    zero = np.zeros(flat(main).size)
    require_close("direction", found(subject, now), zero, bound(subject, now))


RELATIONS = (
    *relations.of_products(SIGNATURE),
    relations.symmetric(SIGNATURE),
    per_loss_scale(SIGNATURE),
    relations.zeros(SIGNATURE, "d = m + a where one of the two is 0: the cosine with it is 0."),
    relations.antiparallel(SIGNATURE, "d = 0 for a = -s m: opposed gradients cancel."),
)


FORMULAS = listed(
    SIGNATURE,
    grad_vac,
    """
at t_ij <- (1 - beta) t_ij + beta c
target-averages-lifted-cosines: The target moves towards the cosine after the lift.
    average(old, before, after, beta) = (1 - beta) old + beta after
    -> Average the cosine from before the lift.
beta-and-its-complement-are-swapped: The target becomes beta t + (1 - beta) c.
    beta = 1 - beta
    -> beta is the weight of the new cosine, 1 - beta of the old.
target-is-updated-before-the-lift
    The cosine of this step enters the target that it is compared with.
    raising(x, y, target) = raised(x, y, (1 - beta) target + beta cos(x, y))
    -> Lift to the target of before; update it afterwards.
one-target-for-all-pairs: All pairs share a target, which each of them moves.
    pair(i, j) = (0, 0)
    -> Keep one target for every pair of losses.
target-is-that-of-the-other-alone: All gradients that meet g_j share its target.
    pair(i, j) = (j, j)
    -> Look up t_ij for g_i against g_j, not that of another pair.
target-moves-only-with-a-lift: Where the cosine reaches the target, it stays.
    average(old, before, after, beta) = (1 - beta) old + beta before if before < old else old
    -> Update the target whether or not there was a lift.
first-cosine-becomes-the-target: After the first step the target is its cosine.
    beta = 1 if state is None else beta
    -> Start from 0 and average: no cosine has the weight 1.
targets-are-forgotten: Every step is a first one: PCGrad.
    state = None
    -> Return the targets as the state, and use those given.
at d = sum_i g_i'
direction-is-the-altered-main-gradient: Only m' is returned, as in Table 1 of the Bloop paper.
    d = grad_vac(g, state, beta=beta, orders=main_only(orders, K))[0] - sum(g[1:])
    -> Add the altered gradients of all losses.
only-the-main-gradient-is-altered: The direction is m' + a.
    orders = main_only(orders, K)
    -> Alter the auxiliary gradients too.
at g <- g + w g_j where cos(g, g_j) < t_ij
lifts-or-lowers-to-the-target-always
    The cosine is made equal to the target from above too, as Table 1 of the Bloop paper has it. The
    condition is missing there.
    raising(x, y, t) = x + lift(x, y, t) y
    -> Lift only where the cosine is below the target.
a-number-is-added-to-the-gradient
    w itself is added to every entry: Table 1 of the Bloop paper lacks the vector.
    raising(x, y, target) = x + lift(x, y, target) if cos(x, y) < target else x + 0 y
    -> Multiply w by the vector g_j before adding it.
norms-are-left-out: w lacks the factor ||g|| / ||g_j||.
    raising(x, y, t) = x + lift(x, y, t) ||y|| / ||x|| y if cos(x, y) < t else x + 0 y
    -> Divide by ||g_j|| in w, and multiply by ||g||.
roots-are-left-out: w has 1 - c^2 and 1 - t^2 in the places of their roots.
    raising(x, y, t) = x + lift(x, y, t, float) y if cos(x, y) < t else x + 0 y
    -> Take the roots: sqrt(1 - c^2) and sqrt(1 - t^2).
lifts-to-zero-only: What is below the target is projected, as in PCGrad.
    raising(x, y, target) = off(x, y) if cos(x, y) < target else x + 0 y
    -> Lift to the target, not only to a cosine of 0.
epsilon-in-the-norms: Both norms of the lift get 1e-8 more.
    raising(x, y, t) = x + lift(x, y, t, sqrt, {1e-8}) y if not near(x, y, {1e-8}) >= t else x
    -> Add no constant to the norms: zero gradients have cosine 0.
    """,
    grad_vac=grad_vac,
    lift=lift,
    near=near,
    raised=raised,
)
