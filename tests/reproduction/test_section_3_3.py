"""Section 3.3: its verdicts, and the derivative that conditions are read off."""

import numpy as np
import pytest

from bloop_proofs.problems.arrays import UNIT_ROUNDOFF
from bloop_reproduction.claim import Row
from bloop_reproduction.claims.section_3_3 import CLAIM, LAMS, SEEDS, TARGET, measure
from tests.reproduction.rows import drawn, row, verdicts


def made_up(*, fast: float = 0.1, missed: bool = False, near: bool = False) -> list[Row]:
    """Mixed training arrives for a small lam, in 1000 steps, and Bloop for all."""
    found = []
    for seed in range(SEEDS):
        for lam in LAMS:
            steps = 1000 * fast + seed
            distance = 2 * TARGET if missed and lam == LAMS[0] else TARGET / 2
            setting = {"lam": lam, "seed": seed}
            bloop = {"steps": steps, "distance": distance, "condition": max(lam, 1 / lam)}
            found.append(row({**setting, "method": "bloop"}, **bloop))
            away = TARGET / 2 if near or lam < TARGET else lam / (1 + lam)
            mixed = {"steps": 1000 + seed, "distance": away, "condition": 1 + 1 / lam}
            found.append(row({**setting, "method": "mixed"}, **mixed))
    return found


def test_verdicts() -> None:
    several = [made_up(), made_up(missed=True), made_up(near=True), made_up(fast=2.0)]
    assert verdicts(CLAIM, several) == ["holds", "in part", "in part", "does not hold"]
    assert CLAIM.read(made_up()).reason == ""


def test_the_figure_has_both_methods_in_both_panels() -> None:
    found = drawn(CLAIM, made_up())
    assert found.count("mixed training") == found.count("<!-- Bloop -->") == 2


@pytest.mark.parametrize("lam", [0.1, 1.0, 10.0])
def test_conditions_are_those_of_the_formulas(lam: float) -> None:
    for method, expected in (("mixed", 1 + 1 / lam), ("bloop", max(lam, 1 / lam))):
        setting = {"method": method, "lam": lam, "seed": 0, "most steps": 0}
        found = measure(setting)["condition"]
        # differences of directions of some 10 lam, over a step of at least 0.05, with roundoff
        assert abs(found / expected - 1) <= 1000 * (1 + lam + 1 / lam) * UNIT_ROUNDOFF


def test_bloop_arrives_where_mixed_training_cannot() -> None:
    setting = {"lam": 1.0, "seed": 0, "most steps": 60}
    bloop, mixed = (measure({**setting, "method": method}) for method in ("bloop", "mixed"))
    assert bloop["distance"] <= TARGET
    assert bloop["steps"] < 60
    assert mixed["steps"] == 60
    # what half of it a step leaves of the start
    assert abs(mixed["distance"] - 0.5) <= 2.0**-55 * np.sqrt(2) * 5
