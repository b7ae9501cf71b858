"""The comparison of docs/every.md: gradients, counts, and its tables against its results."""

from typing import Any

import numpy as np
import pytest

from bloop_proofs.tolerances import norm
from tests.convergence.every_fronts import FIGURE, GUIDE, SEEDS, loaded, saved
from tests.convergence.every_problems import Reconstruction, reconstruction, reconstruction_gradient
from tests.convergence.every_report import dominating, with_tables
from tests.convergence.every_training import (
    BLOOP,
    EXACT,
    MIXED,
    SETTINGS,
    SHORTER,
    Result,
    Run,
    Setting,
    grid,
    train,
)


def test_the_tables_are_those_of_the_results() -> None:
    results, text = loaded(), GUIDE.read_text()
    steps = {result.run.steps for result in results}
    assert SEEDS >= 5
    assert [r.run for r in results] == grid(seeds=SEEDS, steps=steps.pop())
    assert not steps
    assert with_tables(text, results) == text
    assert FIGURE.read_bytes().startswith(b"\x89PNG")


def test_the_gradient_of_the_reconstruction() -> None:
    """A central difference is exact along a line without kinks: the error is quadratic there."""
    problem = Reconstruction(np.random.default_rng(0))
    whole = problem.parameters.astype(np.float64)
    images = problem.auxiliary_images()[:4].astype(np.float64)
    found = np.zeros_like(whole)
    reconstruction_gradient(problem.heads(whole)[1], images, out=problem.heads(found)[1])
    line = np.zeros_like(whole)
    problem.heads(line)[1][1].weights[:] = np.random.default_rng(1).normal(size=(16, 64))

    def at(t: float) -> float:
        return reconstruction(problem.heads(whole + t * line)[1], images)

    # float64 differences of values near 1, and the slope they give
    room = 2.0**-52 * len(whole) * (at(0) + at(1) + at(-1))
    assert abs((at(1) - at(-1)) / 2 - found @ line) <= room
    assert norm(found) > 0


def run(setting: Setting, **changes: Any) -> Result:
    return train(Run("two sets", setting, **{"lam": 1.0, "seed": 0, "steps": 12, **changes}))


def test_what_the_settings_have_in_common() -> None:
    """Without weight all train on the main loss; A = g_aux all the time would be Bloop."""
    alone = {setting: run(setting, lam=0.0).main for setting in SETTINGS}
    shorter = alone.pop(SHORTER)
    assert set(alone.values()) == {alone[BLOOP]} != {shorter}
    losses = {setting: (run(setting).main, run(setting).aux) for setting in SETTINGS}
    assert len(set(losses.values())) == len(SETTINGS)
    assert (MIXED.passes, BLOOP.passes, Setting(4, average=EXACT).passes) == (1, 2, 2)
    assert SHORTER.passes == Setting(4).passes == 1.25


def test_who_is_better() -> None:
    def results(*losses: tuple[float, float], seed: int = 0) -> list[Result]:
        of = Run("two sets", BLOOP, 1.0, seed, 1)
        return [Result(of, main, aux, 0.0, 0.0) for main, aux in losses]

    assert dominating(results((1, 2), (2, 1), (3, 3)), results((2, 3), (1, 1))) == 1
    assert dominating(results((1, 2)), results((2, 3), seed=1)) == 0


def test_results_are_read_as_they_were_written(tmp_path: Any) -> None:
    results = [Result(Run("two sets", Setting(4, 0.2, EXACT), 0.3, 1, 5), 0.5, 0.25, 0.1, 0.2)]
    path = tmp_path / "results.json"
    path.write_text(saved(results))
    assert loaded(path) == results
    with pytest.raises(FileNotFoundError):
        loaded(tmp_path / "none.json")
