"""The outputs of golden vectors: exact rational arithmetic, each number rounded once at the end."""

from collections.abc import Sequence

import numpy as np

from bloop_proofs import exact
from bloop_proofs.tolerances import norm
from bloop_proofs.vectors.formats import FORMATS, ema_dtype
from bloop_proofs.vectors.model import Table, Tables
from tests.golden import bounds
from tests.golden.rounding import nearest

Answer = tuple[Tables, Tables]
"""The outputs, and a tolerance for each of their rows."""


def answer(kind: str, dtype: str, inputs: Tables) -> Answer:
    """Return what a kind of computation gives for inputs whose vectors have a dtype."""
    if kind in ("step", "trajectory"):
        return _trajectory(dtype, inputs)
    return _hierarchy(dtype, inputs) if kind == "hierarchy" else _projection(dtype, inputs)


def _exact(row: Table) -> exact.Vector:
    return exact.fractions([row])


def _round(vector: exact.Vector, dtype: str) -> Table:
    return np.array([nearest(x, dtype) for x in vector], dtype=np.float64)


def _trajectory(dtype: str, inputs: Tables) -> Answer:
    """Return Algorithm 1 with a bound on the EMA's error, which a program carries along."""
    lam, rho = inputs["lam"].item(), inputs["rho"].item()
    u, u_ema = (FORMATS[name].roundoff for name in (dtype, ema_dtype(dtype)))
    ema, error = inputs["ema"][0], 0.0
    rows = []
    for g_main, g_aux in zip(inputs["g_main"], inputs["g_aux"], strict=True):
        main, aux, before = map(_exact, (g_main, g_aux, ema))
        direction = exact.equation_5(main, aux, before, lam)
        after = exact.moved(before, main, rho)
        of_direction = bounds.direction(u, g_main, g_aux, lam)
        of_direction += bounds.turned(error, ema, g_aux, lam)
        error = (1 - rho) * error + bounds.average(u, u_ema, ema, g_main, rho)
        ema = _round(after, ema_dtype(dtype))
        rows.append((_round(direction, dtype), ema, of_direction, error))
    directions, emas, of_directions, errors = map(np.array, zip(*rows, strict=True))
    return (
        {"direction": directions, "new_ema": emas},
        {"direction": of_directions[:, None], "new_ema": errors[:, None]},
    )


def _spans(u: float, references: Table) -> list[float]:
    """Return the error of projections on the first k references, k = 0, 1, ..., all of them."""
    span = bounds.Span(u, references.shape[1])
    errors = [span.error]
    rows = [_exact(row) for row in references]
    for k, row in enumerate(references):
        span.extend(row, norm(exact.rounded(exact.off(rows[k], rows[:k]))))
        errors.append(span.error)
    return errors


def _hierarchy(dtype: str, inputs: Tables) -> Answer:
    gradients, references = inputs["gradients"], inputs["references"]
    lams = inputs["lams"][:, 0].tolist()
    rows = [[_exact(row) for row in table] for table in (gradients, references)]
    direction = _equation_6(rows[0], rows[1], lams)
    u = FORMATS[dtype].roundoff
    bound = bounds.hierarchy(u, list(gradients), lams, _spans(u, references)[1:])
    return {"direction": _round(direction, dtype)[None]}, {"direction": np.array([[bound]])}


def _projection(dtype: str, inputs: Tables) -> Answer:
    (vector,), span = inputs["vector"], inputs["span"]
    projected = exact.off(_exact(vector), map(_exact, span))
    u = FORMATS[dtype].roundoff
    bound = bounds.projected(u, vector, _spans(u, span)[-1])
    return {"projected": _round(projected, dtype)[None]}, {"projected": np.array([[bound]])}


def _equation_6(
    gradients: Sequence[exact.Vector], span: Sequence[exact.Vector], lams: Sequence[float]
) -> exact.Vector:
    """Return g_0 + sum_k lam_k pi(g_k; the first k references)."""
    total, *others = gradients
    for k, (gradient, lam) in enumerate(zip(others, lams, strict=True), start=1):
        total = exact.plus(total, lam, exact.off(gradient, span[:k]))
    return total
