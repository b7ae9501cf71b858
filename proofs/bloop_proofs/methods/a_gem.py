"""A-GEM: the main gradient, projected off the auxiliary one in conflict."""

from typing import Any

from bloop_proofs.cases import Case
from bloop_proofs.gradients import unflatten
from bloop_proofs.law import law, require
from bloop_proofs.laws import relations
from bloop_proofs.laws.measure import bound, found, require_close, require_small
from bloop_proofs.mistakes.mistake import listed
from bloop_proofs.rows import negative, share, vectors
from bloop_proofs.signature import Signature
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject
from bloop_proofs.tolerances import norm
from bloop_proofs.truths.products import Products, by


def a_gem(g: Any) -> Any:
    """Return A-GEM's direction."""
    return g[0] - negative(share(g[0], g[1])) * g[1]


SIGNATURE = Signature(
    "a_gem",
    "d = m where <m, a> >= 0, else pi(m; a).",
    "Chaudhry et al. 2019",
    by(Products(a_gem)),
    most_losses=2,
)


@law(equation="constraint", inputs=inputs(SIGNATURE))
def protected_loss_never_rises(subject: Subject, case: Case) -> None:
    """<d, a> >= 0."""
    d, a = found(subject, case), vectors(case)[1]
    least = -bound(subject, case) * norm(a)
    require(d @ a >= least, f"<d, a> must be at least {least:.3g}; found {d @ a:.6g}")


@law(equation="projection", inputs=inputs(SIGNATURE, dtypes=("float64",)))
def what_has_been_projected_stays(subject: Subject, case: Case) -> None:
    """d(d(m, a), a) = d(m, a)."""
    main, aux = case.gradients
    once = found(subject, case)
    twice = found(subject, case, gradients=[unflatten(once, main), aux])
    require_close("d(d(m, a), a)", twice, once, 2 * bound(subject, case))


@law(equation="projection", inputs=inputs(SIGNATURE))
def direction_is_no_longer_than_the_main_gradient(subject: Subject, case: Case) -> None:
    """||d|| <= ||m||, and <d, m> = ||d||^2: d is m or a projection of it."""
    d, m = found(subject, case), vectors(case)[0]
    room = bound(subject, case)
    require(norm(d) <= norm(m) + room, f"||d|| must be at most {norm(m):.6g}; found {norm(d):.6g}")
    require_small("<d, m> - ||d||^2", float(d @ (m - d)), 2 * room * norm(m))


RELATIONS = (
    *relations.of_products(SIGNATURE),
    relations.scale_free(SIGNATURE),
    relations.zeros(SIGNATURE, "d = m for a = 0, and d = 0 for m = 0."),
    relations.antiparallel(SIGNATURE, "d = 0 for a = -s m."),
)


FORMULAS = listed(
    SIGNATURE,
    a_gem,
    """
at d = m - min(0, <m, a>) / ||a||^2 a
projects-always: The direction is pi(m; a).
    d = m - <m, a> / ||a||^2 a
    -> Project only where the gradients conflict.
projects-in-agreement: The part along a is removed where <m, a> > 0.
    d = m - max(<m, a> / ||a||^2, 0) a
    -> Project where <m, a> < 0, not where it is positive.
divides-by-the-norm: The coefficient is <m, a> / ||a||.
    d = m - min(<m, a> / ||a||, 0) a
    -> Divide by ||a||^2.
divides-by-the-main-norm-squared: The coefficient is <m, a> / ||m||^2.
    d = m - min(<a, m> / ||m||^2, 0) a
    -> Divide by the norm of a, on which m is projected.
adds-the-auxiliary-gradient: The direction is that of A-GEM plus a.
    d = m + (1 - min(<m, a> / ||a||^2, 0)) a
    -> Do not add the auxiliary gradient: it only protects.
drops-the-main-gradient-in-conflict: In conflict the direction is a.
    d = a if <m, a> < 0 else m + 0 a
    -> Keep the rest of m in conflict: what is orthogonal to a.
epsilon-in-the-denominator: The coefficient is <m, a> / (||a||^2 + 1e-8).
    d = m - min(<m, a>, 0) / (<a, a> + {1e-8}) a
    -> Divide by ||a||^2 alone; d = m for a = 0.
    """,
)
