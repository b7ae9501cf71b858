"""Figure 2: its verdicts, and the mean projection against its closed form."""

import numpy as np

from bloop_reproduction.claim import Row
from bloop_reproduction.claims.figure_2 import CLAIM, DRAWS, NOISES, RHO, SEEDS, P, measure
from tests.convergence.expectations import parallel_share, sampling_radius
from tests.reproduction.rows import drawn, row, verdicts


def made_up(limit: float, cured: float, seeds: int = SEEDS) -> list[Row]:
    """A batch's projection leaves 0.9 from the third noise on, and the limit at the last."""
    return [
        row(
            {"noise": noise, "seed": seed, "draws": DRAWS},
            batch=(limit if noise == NOISES[-1] else 0.1 if k < 3 else 0.92) + 1e-4 * seed,
            ema=cured * (1 + 0.01 * seed),
        )
        for seed in range(seeds)
        for k, noise in enumerate(NOISES)
    ]


def test_verdicts() -> None:
    several = [
        made_up(0.99, 0.1),
        made_up(0.99, 0.8),
        made_up(0.95, 0.1),
        made_up(0.95, 0.95),
        made_up(0.5, 0.1),
        [entry for entry in made_up(0.95, 0.1) if entry.setting["noise"] < 1],
    ]
    worded = ["holds", "in part", "in part", "does not hold", "in part", "does not hold"]
    assert verdicts(CLAIM, several) == worded


def test_the_figure_has_both_projections() -> None:
    found = drawn(CLAIM, made_up(0.99, 0.1))
    assert all(word in found for word in ("on a single batch", "on the average", "1 - 1/p"))


def test_the_mean_is_near_its_closed_form() -> None:
    """What is left of a unit vector along g is 1 - tau; here it is divided by the cosine, -1/2.

    An average has the noise of a batch times sqrt(rho / (2 - rho)) once the start is forgotten.
    """
    draws = 400
    found = measure({"noise": 1.0, "seed": 3, "draws": draws})
    radius = sampling_radius(2.0, draws, failure=1e-9)
    assert abs(found["batch"] - (1 - parallel_share(P, np.sqrt(P)))) <= radius
    less = np.sqrt(P * (2 - RHO) / RHO)
    # entries of the average are alike over about 1 / rho steps: so many fewer are independent
    assert abs(found["ema"] - (1 - parallel_share(P, less))) <= radius / np.sqrt(RHO)
