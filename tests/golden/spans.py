"""The inputs of projections on several vectors and of hierarchies of losses."""

from collections.abc import Iterator

import numpy as np

from bloop_proofs import exact
from bloop_proofs.tolerances import norm
from bloop_proofs.vectors.formats import FORMATS
from bloop_proofs.vectors.model import Table
from tests.golden.draw import FLAT, LEAVES, Drawn, Pen, Shapes


def _independent(pen: Pen, shapes: Shapes, count: int) -> Table:
    """Return rows of which each has over 3/4 of its norm outside the span of those before.

    So nobody, in any dtype, takes one of them for dependent.
    """
    rows: list[Table] = []
    while len(rows) < count:
        row = pen.row(shapes)
        if norm(exact.projected([row], *([before] for before in rows))) > 0.75 * norm(row):
            rows.append(row)
    return np.array(rows)


def _deep(pen: Pen) -> int:
    """Return 2, or 1 in half precision: errors that grow with every level would excuse anything."""
    return 1 if FORMATS[pen.dtype].bits < FORMATS["float32"].bits else 2


def hierarchies(pen: Pen) -> Iterator[Drawn]:
    """Yield the inputs of section 2.3, with the gradients or with averages as references."""
    g = (1, 1, 0, 0), (1, 0, 1, 0), (0, 1, 2, 0)
    for name, losses in (
        ("worked", g),
        ("dependent", (g[0], (2, 2, 0, 0), g[2])),
        ("zero-main", ((0, 0, 0, 0), *g[1:])),
        ("more-losses-than-dimensions", ((1, 1), (1, 0), (0, 1))),
    ):
        rows = np.array(losses, dtype=np.float64)
        yield name, pen.flat(rows.shape[1]), _hierarchy(rows, rows[:-1])
    for name, shapes, levels in [("averages", FLAT, 3), ("four-levels", LEAVES, 4)][: _deep(pen)]:
        gradients = np.array([pen.row(shapes) for _ in range(levels)])
        yield name, shapes, _hierarchy(gradients, _independent(pen, shapes, levels - 1))


def _hierarchy(gradients: Table, references: Table) -> dict[str, Table]:
    lams = np.array([2.0, 1.0, 0.5])[: len(references), None]
    return {"lams": lams, "gradients": gradients, "references": references}


def projections(pen: Pen) -> Iterator[Drawn]:
    """Yield vectors, and vectors whose span they are projected on."""
    for name, vector, span in (
        ("worked", (2, 3), [(0, 5)]),
        ("zero-span", (2, 3), [(0, 0)]),
        ("no-span", (2, 3), []),
        ("inside", (1, 2, 0, 0), [(1, 1, 0, 0), (0, 1, 0, 0)]),
        ("dependent", (1, 2, 3, 4), [(1, 1, 0, 0), (2, 2, 0, 0), (0, 0, 0, 1)]),
    ):
        row = np.array([vector], dtype=np.float64)
        rows = np.array(span, dtype=np.float64).reshape(-1, row.size)
        yield name, pen.flat(row.size), {"vector": row, "span": rows}
    for name, shapes, count in [("one", FLAT, 1), ("three", LEAVES, 3)][: _deep(pen)]:
        drawn = {"vector": pen.row(shapes)[None], "span": _independent(pen, shapes, count)}
        yield name, shapes, drawn
