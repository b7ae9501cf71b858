"""Golden vectors: steps with correctly rounded outputs, for programs in any language.

``bloop-ref vectors --out DIR`` writes them, a program in any language computes its own outputs, and
``bloop-ref verify --vectors FILE`` judges these. docs/vectors.md has the format.
"""

from bloop_proofs.vectors.files import add_arguments, load, run, schema, write
from bloop_proofs.vectors.golden import golden
from bloop_proofs.vectors.judging import check, judge
from bloop_proofs.vectors.model import FORMAT, Golden, VectorError

__all__ = [
    "FORMAT",
    "Golden",
    "VectorError",
    "add_arguments",
    "check",
    "golden",
    "judge",
    "load",
    "run",
    "schema",
    "write",
]
