"""``python -m bloop_reproduction.claims.every_tables``: the tables of docs/every.md.

They are made of the rows of the claim ``every`` that a results file has.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bloop_proofs.files import write_atomically
from bloop_reproduction.claim import Row
from bloop_reproduction.claims import load
from bloop_reproduction.claims.every_training import (
    BLOOP,
    EXACT,
    FULL_ONLY,
    LAMS,
    MIXED,
    SHORTER,
    VARIANTS,
    Variant,
)
from bloop_reproduction.fronts import select
from bloop_reproduction.report import reported
from bloop_reproduction.results import Results

BEGIN, END = "<!-- made of the results of every -->\n", "<!-- end -->\n"


def label(variant: Variant) -> str:
    """Return how a variant is called.

    >>> label(Variant(4, 0.2))
    'm = 4, kappa = 0.2'
    """
    if variant == MIXED:
        return "mixed"
    if variant == BLOOP:
        return "Bloop"
    if variant == SHORTER:
        return "Bloop, 5/8 of the steps"
    more = {EXACT: ", e of g_main", FULL_ONLY: ", e on full steps"}.get(variant.average, "")
    return f"m = {variant.every}, kappa = {variant.kappa:g}{more}"


def means(rows: Sequence[Row], problem: str, variant: Variant) -> dict[float, Any]:
    """Return by lam the means over the seeds of both losses, of residual and of cosine."""
    mine = _of(rows, problem, variant)
    names = ("main", "aux", "residual", "cosine")
    return {
        lam: np.mean(
            [[r.measured[name] for name in names] for r in mine if r.setting["lam"] == lam], axis=0
        )
        for lam in sorted({r.setting["lam"] for r in mine})
    }


def dominating(one: Sequence[Row], other: Sequence[Row]) -> int:
    """Count the rows that are better in both losses than one of the others of their seed."""
    return sum(
        any(
            x.measured["main"] < y.measured["main"] and x.measured["aux"] < y.measured["aux"]
            for y in other
            if y.setting["seed"] == x.setting["seed"]
        )
        for x in one
    )


def tables(rows: Sequence[Row]) -> str:
    """Return a table of both losses for each problem, and one of who is better than whom."""
    parts = [_losses(rows, problem) for problem in LAMS]
    return "\n".join([*parts, _counts(rows), _residuals(rows)])


def with_tables(text: str, rows: Sequence[Row]) -> str:
    """Return a guide with its tables replaced by those of some rows."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{tables(rows)}\n{END}{after}"


def _of(rows: Sequence[Row], problem: str, variant: Variant) -> list[Row]:
    return select(rows, problem=problem, **asdict(variant))


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    whole = [head, ["---"] * len(head), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in whole)


def _losses(rows: Sequence[Row], problem: str) -> str:
    head = [problem, "passes", *(f"lam = {lam:g}" for lam in LAMS[problem])]
    lines = []
    for variant in VARIANTS:
        cells = [f"{m[0]:.4f}, {m[1]:.3f}" for m in means(rows, problem, variant).values()]
        lines.append([label(variant), f"{variant.passes:.4g}", *cells])
    return _table(head, lines)


def _counts(rows: Sequence[Row]) -> str:
    head = ["better in both losses than", *(f"Bloop, {p}" for p in LAMS)]
    lines = []
    for variant in VARIANTS:
        if variant == BLOOP:
            continue
        cells = []
        for problem in LAMS:
            mine, bloop = (_of(rows, problem, v) for v in (variant, BLOOP))
            cells.append(f"{dominating(mine, bloop)}, {dominating(bloop, mine)} of {len(mine)}")
        lines.append([label(variant), *cells])
    return _table(head, lines)


def _residuals(rows: Sequence[Row]) -> str:
    head = ["residual, cosine", *LAMS]
    lines = []
    for variant in VARIANTS:
        if variant.every < 2:
            continue
        cells = []
        for problem in LAMS:
            found = np.mean([*means(rows, problem, variant).values()], axis=0)
            cells.append(f"{found[2]:.2f}, {found[3]:.2f}")
        lines.append([label(variant), *cells])
    return _table(head, lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the tables of a results file into the guide."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("guide", type=Path, help="docs/every.md")
    parser.add_argument("results", type=Path, help="docs/reproduction/results.json")
    options = parser.parse_args(arguments)
    claim = load("every")
    rows = reported(claim, Results(options.results)).rows
    text = with_tables(options.guide.read_text(encoding="utf-8"), rows)
    write_atomically(options.guide, text)


if __name__ == "__main__":
    main()
