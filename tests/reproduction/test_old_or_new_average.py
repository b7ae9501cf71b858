"""The order of Algorithm 1: the biases against closed cases, and the verdicts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from bloop_reproduction.claim import Row
from bloop_reproduction.claims.old_or_new_average import (
    CLAIM,
    OLD,
    ORDERS,
    RHOS,
    UPDATED,
    biases,
)
from bloop_reproduction.two_heads import TwoDigits
from tests.reproduction.rows import drawn, fronts_of, row, verdicts

SIZE = 128


class Small(TwoDigits):
    trunk = (64, 5)


def problem(seed: int) -> tuple[TwoDigits, np.ndarray]:
    found = Small(np.random.default_rng(seed))
    found.parameters = found.parameters.astype(np.float64)
    rows = np.arange(200)
    return found, found.gradients_of((rows, rows))[0]


@pytest.mark.parametrize("seed", range(3))
def test_only_the_updated_average_is_biased(seed: int) -> None:
    found = biases(*problem(seed), rho=0.5, size=SIZE)
    assert found[OLD] <= found["rounding"] < found[UPDATED]


def test_neither_is_where_the_average_is_the_same_for_all_mini_batches() -> None:
    """With rho = 0, and with the whole sum for a mini-batch."""
    for rho, size in ((0.0, SIZE), (0.5, 1437)):
        found = biases(*problem(0), rho=rho, size=size)
        assert max(found[OLD], found[UPDATED]) <= found["rounding"]


def made(bias: float, factors: Mapping[Any, float], old: float = 0.0) -> list[Row]:
    runs = [
        row({**each.setting, "part": "run", "rho": rho}, **each.measured)
        for rho in RHOS
        for each in fronts_of("order", factors)
    ]
    more = [
        row(
            {"part": "bias", "rho": rho, "size": size, "seed": seed},
            **{OLD: old, UPDATED: bias * (1 + 0.1 * seed), "rounding": 1e-12},
        )
        for rho in RHOS
        for size in (8, 32)
        for seed in range(5)
    ]
    return [*more, *runs]


def test_verdicts() -> None:
    better, same = {OLD: 1.0, UPDATED: 2.0}, dict.fromkeys(ORDERS, 1.0)
    costs, free = made(0.1, better), made(0.1, same)
    old_biased, unbiased = made(0.1, better, old=0.01), made(0.0, better)
    pays = made(0.1, {OLD: 2.0, UPDATED: 1.0})
    several = (costs, free, pays, old_biased, unbiased)
    wanted = ["holds", "in part", "in part", "does not hold", "does not hold"]
    assert verdicts(CLAIM, several) == wanted
    reasons = [CLAIM.read(rows).reason for rows in several]
    assert not reasons[0]
    assert len({*reasons}) == len(reasons)
    assert "updated" in drawn(CLAIM, costs)


def test_settings_and_runs() -> None:
    found = CLAIM.settings(False)
    assert len({setting["seed"] for setting in found}) >= 5
    biased, trained = (
        next(each for each in CLAIM.settings(True) if each["part"] == part)
        for part in ("bias", "run")
    )
    assert CLAIM.measure(biased).keys() == {OLD, UPDATED, "rounding"}
    runs = [CLAIM.measure({**trained, "order": order, "rho": 0.9}) for order in ORDERS]
    assert runs[0] != runs[1]
