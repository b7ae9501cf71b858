"""The claim ``every``: its variants, what is read off made-up rows, and the tables of the guide."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bloop_reproduction.claim import Measured, Row
from bloop_reproduction.claims import every
from bloop_reproduction.claims.every_tables import BEGIN, END, dominating, main, with_tables
from bloop_reproduction.claims.every_training import (
    BETWEEN,
    BLOOP,
    EXACT,
    LAMS,
    MIXED,
    SHORTER,
    VARIANTS,
    Variant,
    grid,
    train,
)
from bloop_reproduction.results import Record, Results, environment

DOCS = Path(__file__).parents[2] / "docs"
RESULTS, GUIDE = DOCS / "reproduction" / "results.json", DOCS / "every.md"


def trained(variant: Variant, **changes: Any) -> Measured:
    setting = {"problem": "two sets", **asdict(variant), "lam": 1.0, "seed": 0, "steps": 12}
    return train({**setting, **changes})


def test_what_the_variants_have_in_common() -> None:
    """Without weight all train on the main loss; A = g_aux all the time would be Bloop."""
    alone = {variant: trained(variant, lam=0.0)["main"] for variant in VARIANTS}
    shorter = alone.pop(SHORTER)
    assert set(alone.values()) == {alone[BLOOP]} != {shorter}
    losses = {(found["main"], found["aux"]) for found in map(trained, VARIANTS)}
    assert len(losses) == len(VARIANTS)
    assert (MIXED.passes, BLOOP.passes, Variant(4, average=EXACT).passes) == (1, 2, 2)
    assert SHORTER.passes == BETWEEN.passes == 1.25


def made_up(lost: dict[tuple[str, Variant], float], seeds: int = 5) -> Iterator[Row]:
    """Rows on the line log main + aux = 0, but for what some variants lose there."""
    for setting in grid(seeds=seeds, steps=1):
        variant = Variant(*(setting[name] for name in asdict(BLOOP)))
        aux = -np.log(setting["lam"]) + 0.001 * setting["seed"]
        main_loss = np.exp(lost.get((setting["problem"], variant), 0) - aux)
        found = {"main": float(main_loss), "aux": float(aux), "residual": 0.1, "cosine": 0.2}
        yield Row(setting, found, 1.0)


SHORTER_LOSES = {(problem, SHORTER): 0.3 for problem in LAMS}


@pytest.mark.parametrize(
    ("lost", "verdict", "reason"),
    [
        (SHORTER_LOSES, "holds", ""),
        ({}, "does not hold", "at equal passes no gain is certain"),
        (SHORTER_LOSES | {("lipschitz", BETWEEN): 0.1}, "in part", "behind Bloop on lipschitz:"),
        ({("two sets", SHORTER): 0.3}, "in part", "certain on lipschitz, reconstruction"),
    ],
)
def test_the_verdict_is_read_off_the_rows(
    lost: dict[tuple[str, Variant], float], verdict: str, reason: str
) -> None:
    finding = every.read(list(made_up(lost)))
    assert finding.verdict == verdict
    assert reason in finding.reason
    assert bool(reason) == bool(finding.reason)


def test_who_is_better() -> None:
    def rows(*losses: tuple[float, float], seed: int = 0) -> list[Row]:
        return [Row({"seed": seed}, {"main": main, "aux": aux}, 0.0) for main, aux in losses]

    assert dominating(rows((1, 2), (2, 1), (3, 3)), rows((2, 3), (1, 1))) == 1
    assert dominating(rows((1, 2)), rows((2, 3), seed=1)) == 0


def test_the_tables_are_those_of_the_results(tmp_path: Path) -> None:
    results = Results(RESULTS)
    found = [record for record in results.of("every", every.settings(False)) if record]
    assert len(found) == len(every.settings(False))
    text = GUIDE.read_text(encoding="utf-8")
    assert with_tables(text, [record.row for record in found]) == text
    guide = tmp_path / "guide.md"
    guide.write_text(f"before\n{BEGIN}old\n{END}after\n", encoding="utf-8")
    main([str(guide), str(RESULTS)])
    before, after = guide.read_text(encoding="utf-8"), text
    assert before.split(BEGIN)[1].split(END)[0] == after.split(BEGIN)[1].split(END)[0]


def test_tables_are_not_made_of_some_of_the_runs(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    row = next(made_up({}))
    Results(path).add(Record("every", row, "0", environment(), "2026-01-01"))
    with pytest.raises(ValueError, match="found 0"):
        main([str(GUIDE), str(path)])
