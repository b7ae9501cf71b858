"""NaN and infinity: never hidden in the direction, and never let into the EMA by g_aux."""

from bloop_proofs.cases import Case
from bloop_proofs.gradients import spoiled
from bloop_proofs.law import Inputs, law
from bloop_proofs.laws import protocol
from bloop_proofs.methods.bloop.definition import inputs, require_average
from bloop_proofs.subject import Subject, flat

BAD = (float("nan"), float("inf"), -float("inf"))


def _with_bad_entry(name: str) -> Inputs:
    """Return inputs with a bad entry somewhere in a gradient."""
    return inputs(
        zero_ema=True,
        numbers={"bad": BAD, "place": range(6)},
        then=lambda case: case.but(**{name: spoiled(case[name], case.place, case.bad)}),
    )


@law(
    group="numerics",
    equation="eq. 5",
    inputs=_with_bad_entry("g_main"),
)
def bad_main_gradient_shows_in_the_direction(subject: Subject, case: Case) -> None:
    """NaN or infinity in g_main reaches d, where a loss scaler or a person can see it."""
    found = flat(subject.of(case).direction)
    protocol.require_not_finite(found, case.bad, "g_main")


@law(
    group="numerics",
    equation="eq. 5",
    inputs=_with_bad_entry("g_aux"),
)
def bad_auxiliary_gradient_shows_in_the_direction_only(subject: Subject, case: Case) -> None:
    """NaN or infinity in g_aux reaches d, and leaves the EMA what it would have been."""
    output = subject.of(case)
    found = flat(output.direction)
    protocol.require_not_finite(found, case.bad, "g_aux")
    require_average(output, case)
