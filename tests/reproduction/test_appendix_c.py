"""Appendix C: its two sets, and its verdicts."""

import numpy as np

from bloop_reproduction.claim import Row
from bloop_reproduction.claims.appendix_c import CLAIM
from bloop_reproduction.demo.data import digits
from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.two_heads import TwoKinds, two_kinds
from tests.reproduction.rows import drawn, fronts_of, row, verdicts


def test_the_sets_have_no_picture_and_no_class_in_common() -> None:
    small, large = two_kinds()
    assert len(small.labels) + len(large.labels) == len(digits().train_labels)
    assert {*small.labels} == {*large.labels} == {*range(5)}
    joined = np.concatenate([small.images, large.images])
    assert sorted(map(bytes, joined)) == sorted(map(bytes, digits().train_images))


def test_each_set_has_batches_of_its_own() -> None:
    """With equal generators the auxiliary gradient is of other rows than the main one."""
    problem = TwoKinds(np.random.default_rng(0))
    _, aux = problem.gradients(np.random.default_rng(1))
    rows = np.random.default_rng(1).permutation(len(two_kinds()[0].labels))[:32]
    assert not np.array_equal(problem.gradients_of((rows, rows))[1], aux)


def conflicting(rows: list[Row]) -> list[Row]:
    return [row(each.setting, **{**each.measured, "cosine": -0.5}) for each in rows]


def test_verdicts() -> None:
    alike = fronts_of("method", dict.fromkeys(METHODS, 1.0), noise=0.2)
    one = fronts_of("method", {**dict.fromkeys(METHODS, 1.0), "pcgrad": 4.0}, noise=0.2)
    apart = fronts_of("method", {**dict.fromkeys(METHODS, 4.0), "bloop": 1.0}, noise=0.2)
    behind = fronts_of("method", {**dict.fromkeys(METHODS, 1.0), "bloop": 4.0}, noise=0.2)
    several = (alike, one, conflicting(alike), conflicting(apart), conflicting(behind))
    wanted = ["holds", "in part", "in part", "does not hold", "does not hold"]
    assert verdicts(CLAIM, several) == wanted
    reasons = [CLAIM.read(rows).reason for rows in several]
    assert not reasons[0]
    assert "along the average" in reasons[1]
    assert "conflict here" in reasons[2]
    assert all(entry.label in drawn(CLAIM, alike) for entry in METHODS.values())


def test_settings_and_runs() -> None:
    found = CLAIM.settings(False)
    assert len({setting["seed"] for setting in found}) >= 5
    quick = CLAIM.settings(True)
    assert len(quick) == 2 * len(METHODS)
    first = CLAIM.measure({**quick[0], "steps": 20})
    assert first == CLAIM.measure({**quick[0], "steps": 20})
    assert first.keys() == {"main", "aux", "cosine"}
