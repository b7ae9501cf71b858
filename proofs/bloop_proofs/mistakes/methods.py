"""Other methods taken for Bloop: conditions on the sign, and other ways to combine gradients."""

from bloop_proofs.cases import Gradient
from bloop_proofs.mistakes.mistake import wrong_direction
from bloop_proofs.mistakes.pieces import (
    Now,
    average,
    direction,
    inner,
    norm,
    pi,
    ratio,
    share,
    subtracting,
    total,
)

PROJECTION = "eq. 5, pi(g_aux; e)"


@wrong_direction(
    where=PROJECTION, mend="Project always, not only where the gradients conflict (PCGrad does so)."
)
def projects_only_in_conflict(s: Now) -> Gradient:
    """The part along e is removed only where <a, e> < 0."""
    return subtracting(min(0.0, share(s.a, s.e)), s)


@wrong_direction(where=PROJECTION, mend="Project always, in conflict too.")
def projects_only_in_agreement(s: Now) -> Gradient:
    """The part along e is removed only where <a, e> > 0."""
    return subtracting(max(0.0, share(s.a, s.e)), s)


@wrong_direction(where=PROJECTION, mend="Project always, whatever the sign of <g_aux, g_main>.")
def projects_only_if_the_batch_conflicts(s: Now) -> Gradient:
    """The part along e is removed only where <a, g> < 0."""
    return direction(s) if inner(s.a, s.g) < 0 else total((1, s.g), (s.lam, s.a))


@wrong_direction(where=PROJECTION, mend="Add the projected gradient in conflict too.")
def drops_the_auxiliary_gradient_in_conflict(s: Now) -> Gradient:
    """The direction is g where <a, e> < 0."""
    return total((1, s.g), (s.lam if inner(s.a, s.e) >= 0 else 0.0, pi(s.a, s.e)))


@wrong_direction(where=PROJECTION, mend="Project g_aux instead of weighing it by its cosine.")
def weighs_by_the_cosine(s: Now) -> Gradient:
    """The direction is g + lam max(0, cos(a, e)) a: cosine gating."""
    cosine = ratio(inner(s.a, s.e), norm(s.a) * norm(s.e))
    return total((1, s.g), (s.lam * max(0.0, cosine), s.a))


@wrong_direction(where="eq. 5, both terms", mend="Project g_aux, and leave g_main as it is.")
def projects_the_main_gradient_off_the_ema(s: Now) -> Gradient:
    """The direction is pi(g; e) + lam a."""
    return total((1, pi(s.g, s.e)), (s.lam, s.a))


@wrong_direction(
    where="eq. 5, both terms", mend="Exchange the roles: g_aux is projected, g_main is whole."
)
def projects_the_main_gradient_off_the_auxiliary(s: Now) -> Gradient:
    """The direction is pi(g; a) + lam a."""
    return total((1, pi(s.g, s.a)), (s.lam, s.a))


@wrong_direction(where="eq. 5, both terms", mend="Project g_aux only; g_main stays whole.")
def projects_the_sum(s: Now) -> Gradient:
    """The direction is pi(g + lam a; e)."""
    return pi(total((1, s.g), (s.lam, s.a)), s.e)


@wrong_direction(where="eq. 5, both terms", mend="Project g_aux on the EMA only, always.")
def projects_each_off_the_other(s: Now) -> Gradient:
    """In conflict the direction is pi(g; a) + lam pi(a; g), otherwise g + lam a: PCGrad."""
    if inner(s.g, s.a) >= 0:
        return total((1, s.g), (s.lam, s.a))
    return total((1, pi(s.g, s.a)), (s.lam, pi(s.a, s.g)))


@wrong_direction(where="eq. 5, both terms", mend="Project g_aux on the EMA, and add lam times it.")
def protects_the_auxiliary_loss(s: Now) -> Gradient:
    """In conflict the direction is pi(g; a), otherwise g: A-GEM."""
    return total((1, pi(s.g, s.a) if inner(s.g, s.a) < 0 else s.g))


@wrong_direction(
    where="eq. 5, the first term", mend="Give g_main the weight 1 and project g_aux on the EMA."
)
def raises_the_main_weight_to_a_barrier(s: Now) -> Gradient:
    """The direction is max(1 - lam <a, g> / ||g||^2, 0) g + lam a: dynamic barrier."""
    return total((max(1 - s.lam * share(s.a, s.g), 0.0), s.g), (s.lam, s.a))


@wrong_direction(where=PROJECTION, mend="Project on the EMA alone.")
def projects_on_batch_and_ema_in_turn(s: Now) -> Gradient:
    """The direction is g + lam pi(pi(a; e); g)."""
    return total((1, s.g), (s.lam, pi(pi(s.a, s.e), s.g)))


@wrong_direction(where=PROJECTION, mend="Project g_aux on the EMA, not the EMA on g_aux.")
def projects_the_ema_off_the_auxiliary_gradient(s: Now) -> Gradient:
    """The direction is g + lam pi(e; a)."""
    return total((1, s.g), (s.lam, pi(s.e, s.a)))


@wrong_direction(where=PROJECTION, mend="Project on the EMA of g_main, kept apart from g_aux.")
def projects_on_an_average_with_the_auxiliary_gradient(s: Now) -> Gradient:
    """The projection is on (1 - rho) e + rho (g + lam a)."""
    mixed = total((1, average(s)), (s.rho * s.lam, s.a))
    return total((1, s.g), (s.lam, pi(s.a, mixed)))
