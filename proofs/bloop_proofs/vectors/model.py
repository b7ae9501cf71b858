"""What a golden vector is: the inputs of one computation, its outputs, and how exact they are."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from bloop_proofs.methods import METHODS
from bloop_proofs.vectors.formats import ema_dtype

FORMAT = 1
"""The version of the files' format and contents."""

Form: TypeAlias = Literal["number", "numbers", "vector", "vectors"]

Table: TypeAlias = np.ndarray
"""float64 numbers, a row per vector: the entries of all leaves, a complex one as two numbers."""

Tables: TypeAlias = Mapping[str, Table]


class VectorError(ValueError):
    """Golden vectors cannot be written, read or judged; the message is one line."""


Found: TypeAlias = Mapping[str, Sequence[np.ndarray] | Table]
"""Outputs of one case that are to be judged, by name, a row per vector."""

Outputs: TypeAlias = Mapping[str, Found]
"""The same for several cases, by the ids of their golden vectors."""


class Kind(NamedTuple):
    """What is computed: the names of the inputs and outputs, and the form of each."""

    inputs: Mapping[str, Form]
    outputs: Mapping[str, Form]

    @property
    def tolerances(self) -> Mapping[str, Form]:
        """The form of the tolerances: a number for each vector."""
        number: Form = "number"
        numbers: Form = "numbers"
        return {
            name: numbers if form == "vectors" else number for name, form in self.outputs.items()
        }


BESIDE = {
    name: method.signature for name, method in METHODS.items() if not method.signature.vectors
}
"""The methods beside Bloop that have golden vectors: those whose step takes a list."""
METHOD_KINDS = {
    name: Kind(
        {
            **{option: "numbers" if option == "orders" else "number" for option in known.choices},
            "losses": "number",
            "gradients": "vectors",
        },
        {"direction": "vectors"},
    )
    for name, known in BESIDE.items()
}
"""Steps of a method: its options, then ``losses`` gradients for each step, and a direction each."""
MORE = "-more"
"""What the name of a method's group ends with that has more than two gradients."""

KINDS = {
    "step": Kind(
        {"lam": "number", "rho": "number", "ema": "vector", "g_main": "vector", "g_aux": "vector"},
        {"direction": "vector", "new_ema": "vector"},
    ),
    "trajectory": Kind(
        {
            "lam": "number",
            "rho": "number",
            "ema": "vector",
            "g_main": "vectors",
            "g_aux": "vectors",
        },
        {"direction": "vectors", "new_ema": "vectors"},
    ),
    "hierarchy": Kind(
        {"lams": "numbers", "gradients": "vectors", "references": "vectors"},
        {"direction": "vector"},
    ),
    "projection": Kind({"vector": "vector", "span": "vectors"}, {"projected": "vector"}),
    **METHOD_KINDS,
}


class Group(NamedTuple):
    """Vectors that are judged together: what they say, as a law says it."""

    group: str
    equation: str
    statement: str


GROUPS = {
    "steps": Group("paper", "eq. 5", "One step gives d = g_main + lam pi(g_aux; e), then the EMA."),
    "trajectories": Group(
        "paper", "Algorithm 1", "Over several steps d uses the EMA of the gradients before."
    ),
    "hierarchies": Group(
        "paper", "section 2.3", "Every loss is projected on the span of the references before it."
    ),
    "projections": Group("paper", "eq. 3", "pi(u; span) is what is orthogonal to all of the span."),
    "scales": Group(
        "numerics", "eq. 5", "Tiny and huge vectors, of which products of three are normal numbers."
    ),
    "extremes": Group(
        "numerics", "eq. 5", "Vectors whose inner products leave the range of their dtype."
    ),
    **{
        name + more: Group("paper", known.where, known.theorem)
        for name, known in BESIDE.items()
        for more in ("", MORE)[: known.most_losses - 1]
    },
}


@dataclass(frozen=True)
class Golden:
    """One golden vector.

    ``shapes`` are those of the leaves of every vector. ``tolerances`` has a number per row of each
    output: the largest Euclidean distance, over the entries of all leaves, at which it is right.
    ``flags`` name the bugs that it finds.
    """

    id: str
    group: str
    kind: str
    dtype: str
    shapes: tuple[tuple[int, ...], ...]
    inputs: Tables
    outputs: Tables
    tolerances: Tables
    comment: str = ""
    flags: tuple[str, ...] = ()

    @property
    def ema_dtype(self) -> str:
        """The dtype of the EMA."""
        return ema_dtype(self.dtype)

    @property
    def steps(self) -> list[Table]:
        """The gradients of each step, as rows: of the methods beside Bloop."""
        losses = int(self.inputs["losses"].item())
        return list(self.inputs["gradients"].reshape(-1, losses, sum(self.sizes)))

    @property
    def width(self) -> int:
        """How many numbers an entry is made of."""
        return 2 if self.dtype.startswith("complex") else 1

    @property
    def sizes(self) -> list[int]:
        """How many numbers every leaf holds."""
        return [self.width * math.prod(shape) for shape in self.shapes]


def leaf_rows(golden: Golden, row: Table) -> list[Table]:
    """Return a row of a table leaf by leaf."""
    return np.split(row, np.cumsum(golden.sizes)[:-1])


def hexadecimal(table: Table) -> list[str]:
    """Return the numbers of a table as C99's %a writes them, exactly and without needless zeros.

    Example:
        >>> hexadecimal(np.array([[3.0, 0.1], [0.0, -1.0]]))
        ['0x1.8p+1', '0x1.999999999999ap-4', '0x0p+0', '-0x1p+0']
    """
    return [re.sub(r"\.?0+p", "p", x.hex()) for x in table.ravel().tolist()]


def number(value: object, where: str) -> float:
    """Return what a token or JSON value stands for: a hexadecimal or decimal number, nan or inf.

    Raises ``VectorError`` for anything else.

    Example:
        >>> number("0x1.8p+1", ""), number("0.25", ""), number("-inf", "")
        (3.0, 0.25, -inf)
    """
    try:
        if isinstance(value, str):
            return float.fromhex(value) if "x" in value.lower() else float(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    except (ValueError, OverflowError):  # one line below says it
        pass
    raise VectorError(
        f"{where}: numbers must be hexadecimal or decimal, nan or inf; found {str(value)[:40]!r}"
    )
