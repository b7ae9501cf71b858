"""The claim ``optimiser``: its arithmetic, and what is read off made-up rows."""

import numpy as np
import pytest

from bloop_proofs.tolerances import norm
from bloop_reproduction.claim import Measured, Row
from bloop_reproduction.claims import optimiser
from bloop_reproduction.claims.optimiser import (
    KINDS,
    OPTIMISERS,
    PHASES,
    PLAIN,
    WHOLE,
    Kind,
    Split,
    projected,
)
from bloop_reproduction.demo.adam import Adam


def vectors(count: int, dtype: type = np.float64) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.standard_normal(20).astype(dtype) for _ in range(count)]


def test_a_step_is_the_sum_of_its_parts() -> None:
    theta, main, aux = vectors(3)
    alone, split = theta.copy(), Split(Adam(theta))
    whole = Adam(alone)
    for scale in (1.0, -0.5, 2.0):
        before = theta.copy()
        part, bare = split.step(theta, main, scale * aux, aux, rate=0.1)
        whole.step(alone, main + scale * aux, rate=0.1)
        assert np.array_equal(theta, alone)
        rest = before - theta - part
        # of a sum of the two, each rounded a few times
        room = 100 * 2.0**-52 * (norm(before) + norm(part))
        scaled = 0.1 / (1 - 0.9**whole.count) * (whole.mean - split.aux) / whole.scale()
        assert norm(rest - scaled) <= room
    assert norm(part - bare) > room


@pytest.mark.parametrize("metric", [False, True])
def test_what_is_projected_is_orthogonal_where_it_should_be(metric: bool) -> None:
    g_aux, ema, scale = vectors(3)
    scale = np.exp(scale)
    found = projected(metric, g_aux, ema, scale)
    products = {False: found @ ema, True: (found / scale) @ ema}
    room = 100 * 2.0**-52 * norm(g_aux) * norm(ema) * max(1, *scale, *(1 / scale))
    assert abs(products[metric]) <= room
    assert abs(products[not metric]) > room


def measured(kind: Kind) -> Measured:
    return optimiser.measure({**kind._asdict(), "seed": 0, "steps": 12})


def test_decay_goes_where_its_optimiser_has_it() -> None:
    """Only what is put into g_main changes the direction; decoupled decay shrinks the weights."""
    found = {kind.optimiser: measured(kind) for kind in PLAIN}
    losses = {name: each["aux loss"] for name, each in found.items()}
    assert losses["adamw"] < losses["adam"]
    assert len(set(losses.values())) == len(OPTIMISERS)
    assert all(len(each["bare"]) == PHASES for each in found.values())


def test_in_a_first_step_without_scale_nothing_is_left() -> None:
    """Momentum has nothing older then: what is orthogonal to grad L_main leaves L_main alone."""
    left = {}
    for on in (WHOLE, "average"):
        found = optimiser.measure({**Kind("momentum", on)._asdict(), "seed": 0, "steps": 1})
        # a float32 inner product, and vectors rounded to float32
        room = 2.0**-20 * sum(map(abs, found["bare"] + found["main"]))
        left[on] = abs(sum(found["aux"])) > room
    assert left == {WHOLE: False, "average": True}


@pytest.mark.parametrize(
    ("left", "verdict"),
    [
        (dict.fromkeys(OPTIMISERS, 0.1), "holds"),
        (dict.fromkeys(OPTIMISERS, 0.1) | {"adam": 0.8}, "in part"),
        (dict.fromkeys(OPTIMISERS, 0.1) | {"adam": -0.8}, "in part"),
        (dict.fromkeys(OPTIMISERS, 0.9), "does not hold"),
        (dict.fromkeys(OPTIMISERS, float("nan")), "does not hold"),
    ],
)
def test_the_verdict_is_read_off_the_rows(left: dict[str, float], verdict: str) -> None:
    rows = []
    for kind in KINDS:
        for seed in range(5):
            aux = -(left[kind.optimiser] + 0.01 * seed) / PHASES
            parts = {"main": 2.0 / PHASES, "aux": aux, "bare": -1 / PHASES}
            measured = {k: [x] * PHASES for k, x in parts.items()}
            rows.append(Row({**kind._asdict(), "seed": seed}, measured, 1.0))
    finding = optimiser.read(rows)
    assert finding.verdict == verdict
    assert ("Adam" in finding.reason) == (verdict != "holds")
    assert finding.numbers[0].name == "conflict left: Adam"
    assert len({number.name for number in finding.numbers}) == 2 * len(KINDS) + len(PLAIN)
