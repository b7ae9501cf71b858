"""The claim ``batch-size``: what it measures at both ends, and what is read off made-up rows."""

import numpy as np
import pytest

from bloop_reproduction.claim import Row
from bloop_reproduction.claims import batch_size
from bloop_reproduction.claims.batch_size import QUICK_STEPS, SIZES, WHOLE, angle


def test_all_images_are_no_batch() -> None:
    found = batch_size.measure({"batch": WHOLE, "seed": 0, "steps": QUICK_STEPS // 2})
    assert found["alone"] == found["full"]
    assert found["average"] != found["full"]
    less = batch_size.measure({"batch": 1, "seed": 0, "steps": QUICK_STEPS // 2})
    assert less["full"] == found["full"]  # the path is the same
    assert less["alone"] != found["alone"]


def test_small_angles_are_not_lost() -> None:
    tiny = 2.0**-40
    found = np.radians(angle(np.array([1.0, 0.0]), np.array([1.0, tiny])))
    assert abs(found - tiny) <= 8 * 2.0**-53 * tiny + tiny**3


@pytest.mark.parametrize(
    ("alone", "average", "verdict"),
    [
        (0.1, 0.7, "holds"),
        (0.1, 0.05, "in part"),
        (0.7, 0.9, "in part"),
        (1.1, 1.2, "does not hold"),
        (float("nan"), 0.7, "does not hold"),
    ],
)
def test_the_verdict_is_read_off_the_rows(alone: float, average: float, verdict: str) -> None:
    rows = [
        Row(
            {"batch": batch, "seed": seed},
            {
                "alone": 10 if batch == WHOLE else 10 * alone + 0.1 * seed,
                "average": 10 * average + 0.1 * seed,
                "full": 10.0,
            },
            1.0,
        )
        for seed in range(5)
        for batch in SIZES
    ]
    finding = batch_size.read(rows)
    assert finding.verdict == verdict
    assert bool(finding.reason) == (verdict != "holds")
    assert "batch 1," in finding.numbers[0].name
