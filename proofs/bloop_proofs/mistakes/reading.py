"""Reading off a step what combination of its inputs it returns, where no known mistake says it."""

from collections.abc import Mapping

import numpy as np

from bloop_proofs.cases import Case
from bloop_proofs.domain import OutsideDomain
from bloop_proofs.quiet import silence
from bloop_proofs.subject import ProtocolError, StepRaised, Subject, flat

SHAPES = ((8,), (4, 3))
REST = 1e-3
"""A part of an output beside all inputs that is smaller is not spoken of."""


def read_off(subject: Subject, right: Subject) -> str:
    """Return the outputs of a step for one input as combinations of its vectors, "" if none can be.

    Example:
        >>> from bloop_proofs import METHODS
        >>> right = METHODS["mixed"].right
        >>> read_off(right, right)
        'direction = 1 gradients[0] + 1 gradients[1]'
    """
    method = subject.method
    dtype = subject.dtypes[0]
    generator = np.random.default_rng(0)
    count = len(method.vectors) or 2
    vectors = [[generator.normal(size=s).astype(dtype) for s in SHAPES] for _ in range(count)]
    options = {name: values(2)[0] for name, values in method.choices.items()}
    case = Case(**method.packed([vectors]), **options)
    try:
        with silence():
            found, known = subject.of(case).vectors, right.of(case).vectors
    except (StepRaised, ProtocolError, OutsideDomain):
        return ""
    rows = {method.name_of(i): flat(vector) for i, vector in enumerate(vectors)}
    lines = []
    for name in method.outputs:
        said, due = (_combination(flat(x[name]), rows) for x in (found, known))
        lines.append(f"{name} = {said}" + (f", where {due} is right" if said != due else ""))
    return "; ".join(lines)


def _combination(vector: np.ndarray, rows: Mapping[str, np.ndarray]) -> str:
    """Return a vector as a sum of multiples of others, with what is left of it."""
    matrix = np.stack([*rows.values()], axis=1)
    if not np.all(np.isfinite(vector)):
        return "what is not finite"
    weights = np.linalg.lstsq(matrix, vector)[0]
    terms = [f"{w:.3g} {name}" for w, name in zip(weights, rows, strict=True) if abs(w) > REST]
    left = vector - matrix @ weights
    share = np.sqrt((left @ left) / (vector @ vector)) if vector.any() else 0.0
    terms += [f"a rest of {100 * share:.2g}%"] if share > REST else []
    return " + ".join(terms).replace("+ -", "- ") or "0"
