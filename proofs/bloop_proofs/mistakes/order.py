"""Mistakes in what the direction is made of: which gradient comes first, which is projected on."""

from bloop_proofs.cases import Gradient
from bloop_proofs.mistakes.mistake import wrong_direction
from bloop_proofs.mistakes.pieces import Now, average, pi, total


@wrong_direction(
    where="Algorithm 1, order of the lines",
    mend="Compute the direction with the EMA of the gradients before, and update it afterwards.",
)
def ema_is_updated_before_the_projection(s: Now) -> Gradient:
    """The projection uses the EMA that this batch has already entered."""
    return total((1, s.g), (s.lam, pi(s.a, average(s))))


@wrong_direction(
    where="eq. 5, the first term", mend="Start the direction with this batch's g_main, not the EMA."
)
def ema_replaces_the_main_gradient(s: Now) -> Gradient:
    """The direction is e + lam pi(a; e)."""
    return total((1, s.e), (s.lam, pi(s.a, s.e)))


@wrong_direction(
    where="eq. 5, the first term, and Algorithm 1, order of the lines",
    mend="Start with g_main, project with the EMA from before, and update that afterwards.",
)
def updated_ema_replaces_the_main_gradient(s: Now) -> Gradient:
    """The direction is e' + lam pi(a; e'), e' the updated EMA: momentum SGD with a projection."""
    return total((1, average(s)), (s.lam, pi(s.a, average(s))))


@wrong_direction(
    where="eq. 5, the vector projected on",
    mend="Project g_aux on the EMA, not on this batch's g_main.",
)
def projects_on_the_raw_main_gradient(s: Now) -> Gradient:
    """The direction is eq. 3's, g + lam pi(a; g), in every mini-batch."""
    return total((1, s.g), (s.lam, pi(s.a, s.g)))


@wrong_direction(
    where="eq. 5, the vector projected on",
    mend="Project on the EMA as it is, without looking ahead.",
)
def projects_on_a_look_ahead(s: Now) -> Gradient:
    """The projection is on e + rho g, as Nesterov's momentum looks ahead."""
    return total((1, s.g), (s.lam, pi(s.a, total((1, s.e), (s.rho, s.g)))))
