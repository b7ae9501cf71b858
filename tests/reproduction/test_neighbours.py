"""The neighbours: their verdicts. The runs of IRE are tested in tests/convergence/test_ire.py."""

from typing import Any

import numpy as np

from bloop_reproduction.claim import Row
from bloop_reproduction.claims.neighbours import CLAIM, SHOWN, measure
from tests.reproduction.rows import drawn, row, verdicts

POINTS = [[0.0, 0.0], [1.0, 1.0]]


def made_up(*, arrive: int, arrive_there: int, ok: bool = True) -> list[Row]:
    found = []
    for setting in CLAIM.settings(False):
        if "start" in setting:
            most = arrive if setting["of"] == "problem 1" else arrive_there
            path: dict[str, Any] = {"steps": 9, "distance": 0.0, "points": POINTS}
            found.append(row(setting, arrived=setting["start"] < most, **path))
        else:
            found.append(row(setting, ok=ok or setting["of"] != "sam", found=0.5))
    return found


def test_verdicts() -> None:
    several = [
        made_up(arrive=7, arrive_there=4),
        made_up(arrive=6, arrive_there=4),
        made_up(arrive=7, arrive_there=3),
        made_up(arrive=7, arrive_there=4, ok=False),
        made_up(arrive=0, arrive_there=0, ok=False),
    ]
    assert verdicts(CLAIM, several) == ["holds", *["in part"] * 3, "does not hold"]


def test_the_figure_has_a_key_to_its_marks() -> None:
    found = drawn(CLAIM, made_up(arrive=7, arrive_there=4))
    assert all(f"<!-- {word} -->" in found for word in ("start", "end", "optimum of the sum"))
    assert "sum of the losses" in found


def test_a_path_begins_at_its_start_and_has_few_points() -> None:
    found = measure({"of": "problem 1", "start": 0, "steps": 200})
    assert (found["arrived"], found["steps"], len(found["points"])) == (False, 200, SHOWN)
    np.testing.assert_array_equal(found["points"][0], [-8, 5])
    # a step of Adam is at most its rate long in every coordinate, up to the averages' starts
    steps = np.abs(np.diff(found["points"], axis=0)).max()
    assert 0 < steps < 1e-3 * (200 / (SHOWN - 1) + 1) * 2


def test_checks_agree() -> None:
    for setting in CLAIM.settings(True):
        if "start" not in setting:
            assert measure(setting)["ok"], setting
