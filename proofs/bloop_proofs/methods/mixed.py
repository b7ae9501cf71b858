"""Mixed training: the weighted sum of the losses."""

from typing import Any

from bloop_proofs.cases import Case
from bloop_proofs.law import law
from bloop_proofs.laws import relations
from bloop_proofs.laws.measure import bound, found, require_close
from bloop_proofs.mistakes.mistake import listed
from bloop_proofs.rows import LAMS, vectors
from bloop_proofs.signature import Signature, any_of
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject
from bloop_proofs.truths.products import Products, by


def mixed(g: Any, *, lam: float) -> Any:
    """Return mixed training's direction."""
    return g[0] + lam * sum(g[1:])


SIGNATURE = Signature(
    "mixed",
    "d = m + lam sum_k a_k.",
    "the weighted sum of the losses",
    by(Products(mixed)),
    options={"lam": any_of(*LAMS, 0.0)},
)


@law(equation="weight", inputs=inputs(SIGNATURE, options={"lam": (0.0,)}))
def without_weight_d_is_the_main_gradient(subject: Subject, case: Case) -> None:
    """With lam = 0, d = m."""
    require_close("direction", found(subject, case), vectors(case)[0], bound(subject, case))


@law(equation="weight", inputs=inputs(SIGNATURE, numbers={"times": (2.0, 3.0)}))
def direction_is_linear_in_the_weight(subject: Subject, case: Case) -> None:
    """d(c lam) - m = c (d(lam) - m)."""
    more = case.but(lam=case.times * case.lam)
    m = vectors(case)[0]
    required = case.times * (found(subject, case) - m)
    room = bound(subject, more) + case.times * bound(subject, case)
    require_close("d(c lam) - m", found(subject, more) - m, required, room)


RELATIONS = (
    relations.degree_one(SIGNATURE),
    relations.rotation(SIGNATURE),
    relations.signed_permutation(SIGNATURE),
    *relations.of_all_scales(SIGNATURE),
    relations.zeros(SIGNATURE, "d = lam a for m = 0, and d = m for a = 0."),
)


FORMULAS = listed(
    SIGNATURE,
    mixed,
    """
at d = m + lam sum a
weight-is-left-out: The direction is m + a.
    d = sum(g)
    -> Multiply the auxiliary gradients by lam.
weights-add-up-to-one: The direction is (1 - lam) m + lam a.
    d = (1 - lam) m + lam sum(g[1:])
    -> Leave the weight of the main gradient at 1.
main-gradient-gets-the-weight: The direction is lam m + a.
    d = lam m + sum(g[1:])
    -> Give lam to the auxiliary gradients, and 1 to the main one.
direction-is-divided-by-the-weights: The direction is (m + lam a) / (1 + lam).
    d = (m + lam sum(g[1:])) / (1 + lam (K - 1))
    -> Do not divide by the sum of the weights, or judge it times that.
auxiliary-gradients-are-averaged
    The direction is m + lam times the mean of the auxiliary gradients.
    d = m + lam sum(g[1:]) / (K - 1)
    -> Add every auxiliary gradient, not their mean.
auxiliary-gradient-is-normalised
    Each auxiliary gradient is brought to the length of the main one.
    d = m + lam ||m|| sum(units(g[1:]))
    -> Add the gradients as they are.
    """,
)
