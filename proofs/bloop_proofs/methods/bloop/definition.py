"""Bloop: its step, and how far a right one may be from the exact answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bloop_proofs import exact, strategies
from bloop_proofs.cases import Case
from bloop_proofs.gradients import nonzero
from bloop_proofs.law import Inputs
from bloop_proofs.laws.measure import require_close
from bloop_proofs.mistakes.distances import finite_part
from bloop_proofs.mistakes.looks import Sizes
from bloop_proofs.signature import Answer, Signature, any_of, unchanged
from bloop_proofs.subject import Output, flat
from bloop_proofs.tolerances import (
    average_bound,
    direction_bound,
    norm,
    underflow_bound,
    unit_roundoff,
)

VECTORS = ("g_main", "g_aux", "ema")
LAMS = (1.0, 2.0, 0.5, 0.125, 3.0, 0.1, 10.0, 1e4)
RHOS = (0.5, 0.25, 0.125, 0.75, 0.1, 0.01, 1.0, 0.0, 1e-6)


def direction_tolerance(case: Case) -> float:
    """Return how far the direction of a case may be from the exact one."""
    g, a = flat(case.g_main), flat(case.g_aux)
    u = unit_roundoff(case.g_main, case.g_aux, case.ema)
    bound = direction_bound(u, g.size, norm(g), norm(a), case.lam)
    return bound + underflow_bound(case.g_main, case.g_aux, case.ema)


def average_tolerance(case: Case) -> float:
    """Return how far the new EMA of a case may be from the exact one."""
    u, coarse = unit_roundoff(case.ema), unit_roundoff(case.g_main)
    bound = average_bound(u, coarse, norm(flat(case.g_main)), norm(flat(case.ema)), case.rho)
    return bound + underflow_bound(case.g_main, case.ema)


def bounds(case: Case) -> Mapping[str, float]:
    """Return both."""
    return {"direction": direction_tolerance(case), "new_ema": average_tolerance(case)}


def answers(method: Signature, case: Case, near: np.ndarray | None) -> Iterator[Answer]:
    """Yield the exact direction and the exact new EMA."""
    yield {
        "direction": (exact_direction(case), direction_tolerance(case)),
        "new_ema": (exact_average(case), average_tolerance(case)),
    }


def sizes(method: Signature, case: Case) -> Sizes:
    """Return the sizes and unit roundoffs of the direction and of the new EMA."""
    main, aux, ema = (norm(finite_part(case[name])) for name in VECTORS)
    u = unit_roundoff(case.g_main, case.g_aux, case.ema)
    # a gradient of a coarser dtype may have been rounded on its way into the EMA
    kept = max(unit_roundoff(case.ema), case.rho * unit_roundoff(case.g_main))
    return (main + case.lam * aux, u), (main + ema, kept)


SIGNATURE = Signature(
    "bloop",
    "d = g_main + lam pi(g_aux; e), e' = (1 - rho) e + rho g_main.",
    "eq. 5 and Algorithm 1",
    answers,
    vectors=VECTORS,
    outputs={"direction": 0, "new_ema": 2},
    options={"lam": any_of(*LAMS), "rho": any_of(*RHOS)},
    bounds=bounds,
    sizes=sizes,
)


def inputs(
    *,
    lams: Sequence[float] = LAMS,
    rhos: Sequence[float] = RHOS,
    ema_dtypes: Sequence[strategies.Dtypes] | None = None,
    zero_ema: bool = False,
    then: Callable[[Case], Case] = unchanged,
    **more: Any,
) -> Inputs:
    """Return, for a framework, a strategy for the inputs of a step of Bloop.

    The EMA may be zero only if ``zero_ema``; the rest is as in ``strategies.inputs``.
    """

    def changed(case: Case) -> Case:
        if not zero_ema:
            nonzero(case.ema)
        return then(case)

    options = {"lam": lams, "rho": rhos}
    return strategies.inputs(
        SIGNATURE, options=options, last_dtypes=ema_dtypes, then=changed, **more
    )


def exact_direction(case: Case) -> np.ndarray:
    """Return eq. 5 for a case."""
    return exact.direction(case.g_main, case.g_aux, case.ema, lam=case.lam)


def exact_average(case: Case) -> np.ndarray:
    """Return the new EMA for a case."""
    return exact.average(case.ema, case.g_main, rho=case.rho)


def require_direction(output: Output, case: Case, name: str = "direction") -> None:
    """Raise unless a direction is eq. 5's."""
    require_close(name, flat(output.direction), exact_direction(case), direction_tolerance(case))


def require_average(output: Output, case: Case, name: str = "new_ema") -> None:
    """Raise unless a new EMA is Algorithm 1's."""
    require_close(name, flat(output.new_ema), exact_average(case), average_tolerance(case))
