"""NaN and infinity: never hidden in the direction, and never let into the EMA by g_aux."""

import numpy as np

from bloop_proofs import exact
from bloop_proofs.cases import Case
from bloop_proofs.law import LawViolation, law
from bloop_proofs.laws.measure import average_tolerance, require_close
from bloop_proofs.strategies import inputs
from bloop_proofs.subject import Subject, flat

BAD = (float("nan"), float("inf"), -float("inf"))


def _spoil(name: str, case: Case) -> Case:
    """Put a bad entry at the place that the case names."""
    spoiled = [leaf.copy() for leaf in case[name]]
    leaf = spoiled[case.place % len(spoiled)]
    leaf[np.unravel_index(case.place % leaf.size, leaf.shape)] = case.bad
    return case.but(**{name: spoiled})


def _require_bad(found: np.ndarray, bad: float, source: str) -> None:
    if np.all(np.isfinite(found)):
        raise LawViolation(
            f"direction must show the {bad} in {source}; found only finite entries, {found}"
        )


@law(
    group="numerics",
    equation="eq. 5",
    inputs=inputs(
        zero_ema=True,
        numbers={"bad": BAD, "place": range(6)},
        then=lambda case: _spoil("g_main", case),
    ),
)
def bad_main_gradient_shows_in_the_direction(subject: Subject, case: Case) -> None:
    """NaN or infinity in g_main reaches d, where a loss scaler or a person can see it."""
    found = flat(subject.of(case).direction)
    _require_bad(found, case.bad, "g_main")


@law(
    group="numerics",
    equation="eq. 5",
    inputs=inputs(
        zero_ema=True,
        numbers={"bad": BAD, "place": range(6)},
        then=lambda case: _spoil("g_aux", case),
    ),
)
def bad_auxiliary_gradient_shows_in_the_direction_only(subject: Subject, case: Case) -> None:
    """NaN or infinity in g_aux reaches d, and leaves the EMA what it would have been."""
    output = subject.of(case)
    found = flat(output.direction)
    _require_bad(found, case.bad, "g_aux")
    required = exact.average(case.ema, case.g_main, rho=case.rho)
    require_close("new_ema", flat(output.new_ema), required, average_tolerance(case))
