"""The laws, in the order in which they are tried: the equations first, then what follows."""

from collections.abc import Iterable, Sequence

from bloop_proofs.law import Law
from bloop_proofs.laws import (
    equations,
    invariances,
    nonfinite,
    precision,
    purity,
    scales,
    steps,
    training,
)

__all__ = ["LAWS", "laws_named"]

LAWS: tuple[Law, ...] = tuple(
    entry
    for module in (equations, steps, invariances, training, scales, precision, nonfinite, purity)
    for entry in vars(module).values()
    if isinstance(entry, Law)
)
"""The ordered catalogue of laws."""


def laws_named(names: str | Iterable[str], catalogue: Sequence[Law] = LAWS) -> tuple[Law, ...]:
    """Return all laws, those of a group, or those of given names, in the catalogue's order.

    Raises ``ValueError`` for a name that is neither, and where no law is named.
    """
    wanted = {names} if isinstance(names, str) else set(names)
    known = {"all", "paper", "numerics"} | {law.name for law in catalogue}
    if unknown := sorted(wanted - known):
        raise ValueError(f"laws must be all, paper, numerics or names of laws; found {unknown}")
    if not wanted:
        raise ValueError("laws must name at least one law; found none")
    return tuple(law for law in catalogue if wanted & {"all", law.group, law.name})
