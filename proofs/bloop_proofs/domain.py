"""A declared domain: the inputs that a step is for, so that it is judged on these alone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bloop_proofs.cases import Case, Gradient
from bloop_proofs.signature import Signature


class OutsideDomain(Exception):
    """An input lies outside the domain that was declared, so the step is not called on it."""


@dataclass(frozen=True)
class Assumption:
    """What an input must be like: ``kind`` says where the words stand in a sentence.

    ``holds`` is asked about the vectors of one step and about the options. ``needs`` names the
    vector or option that a method must have.
    """

    words: str
    kind: str
    holds: Callable[[list[Gradient], Case], bool]
    needs: str = ""


def _all_leaves(holds: Callable[[np.ndarray], Any]) -> Callable[[list[Gradient], Case], bool]:
    return lambda vectors, case: all(holds(leaf) for vector in vectors for leaf in vector)


def _not_zero(vectors: Iterable[Gradient]) -> bool:
    return all(any(np.any(leaf) for leaf in vector) for vector in vectors)


def _one_dtype(vectors: list[Gradient], case: Case) -> bool:
    return len({leaf.dtype for vector in vectors for leaf in vector}) < 2


def _gradients_not_zero(vectors: list[Gradient], case: Case) -> bool:
    return _not_zero(vectors[:2] if "ema" in case else vectors)


ASSUMPTIONS = {
    "real": Assumption("real", "adjective", _all_leaves(lambda x: x.dtype.kind != "c")),
    "finite": Assumption("finite", "adjective", _all_leaves(lambda x: np.all(np.isfinite(x)))),
    "no-empty-leaves": Assumption("nonempty", "adjective", _all_leaves(lambda x: x.size > 0)),
    "same-dtype": Assumption("of one dtype", "phrase", _one_dtype),
    "two-losses": Assumption("two losses", "clause", lambda vectors, _: len(vectors) == 2, "list"),
    "nonzero-gradients": Assumption("gradients that are not 0", "clause", _gradients_not_zero),
    "nonzero-ema": Assumption(
        "an EMA that is not 0", "clause", lambda _, case: _not_zero([case["ema"]]), "ema"
    ),
    "lam>0": Assumption("lam > 0", "clause", lambda _, case: case["lam"] > 0, "lam"),
    "rho>0": Assumption("rho > 0", "clause", lambda _, case: case["rho"] > 0, "rho"),
    "rho<1": Assumption("rho < 1", "clause", lambda _, case: case["rho"] < 1, "rho"),
}
"""What can be assumed, beside a dtype."""
DTYPES = ("float32", "float64")
"""The dtypes that can be assumed: those in which nearly all laws speak."""


@dataclass(frozen=True)
class Domain:
    """The inputs on which all of some assumptions hold.

    ``dtypes`` are those that leaves may have, ``names`` the other assumptions.

    Example:
        >>> domain = declared("rho<1,float32,real,float64")
        >>> print(domain)
        real float32 or float64 leaves, rho < 1
        >>> domain.assumed
        ('real', 'float32', 'float64', 'rho<1')
    """

    dtypes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the domain as it stands in a sentence."""

        def words(kind: str) -> list[str]:
            return [ASSUMPTIONS[n].words for n in self.names if ASSUMPTIONS[n].kind == kind]

        dtypes = [" or ".join(self.dtypes)] if self.dtypes else []
        leaves = [*words("adjective"), *dtypes, "leaves", *words("phrase")]
        clauses = [" ".join(leaves)] if len(leaves) > 1 else []
        return ", ".join([*clauses, *words("clause")])

    def __bool__(self) -> bool:
        """Whether anything is assumed at all."""
        return bool(self.dtypes or self.names)

    @property
    def assumed(self) -> tuple[str, ...]:
        """The names of all assumptions, in one order whatever the order in which they came."""
        leaves = [n for n in self.names if ASSUMPTIONS[n].kind == "adjective"]
        return (*leaves, *self.dtypes, *(n for n in self.names if n not in leaves))

    def require(self, method: Signature, case: Case) -> None:
        """Raise ``OutsideDomain`` unless every step of a case lies in the domain."""
        for vectors in method.steps(case) if self else ():
            leaves = (leaf for vector in vectors for leaf in vector)
            if self.dtypes and any(leaf.dtype.name not in self.dtypes for leaf in leaves):
                raise OutsideDomain(str(self))
            if not all(ASSUMPTIONS[name].holds(vectors, case) for name in self.names):
                raise OutsideDomain(str(self))


EVERYTHING = Domain()
"""The domain of a method."""


def declared(assume: str | Iterable[str], method: Signature | None = None) -> Domain:
    """Return the domain in which all of some assumptions hold; several dtypes are alternatives.

    Args:
        assume: names of assumptions, in a string with commas or one by one.
        method: the method whose inputs it is about.

    Raises:
        ValueError: an assumption is not known, or is about what the method does not have.

    Example:
        >>> declared("reel")
        Traceback (most recent call last):
            ...
        ValueError: assume must name some of real, finite, ..., float32, float64; found 'reel'
    """
    given = assume.split(",") if isinstance(assume, str) else list(assume)
    chosen = {name.strip() for name in given if name.strip()}
    known = [*ASSUMPTIONS, *DTYPES]
    if unknown := sorted(chosen - set(known)):
        raise ValueError(f"assume must name some of {', '.join(known)}; found {unknown[0]!r}")
    domain = Domain(
        tuple(name for name in DTYPES if name in chosen),
        tuple(name for name in ASSUMPTIONS if name in chosen),
    )
    if method:
        has = {*method.vectors, *method.choices, *(() if method.vectors else ("list",))}
        for name in domain.names:
            if ASSUMPTIONS[name].needs not in {"", *has}:
                raise ValueError(
                    f"assume must be about the inputs of {method.name}, {method.call}; "
                    f"found {name!r}"
                )
    return domain
