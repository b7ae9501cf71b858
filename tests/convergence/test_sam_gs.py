"""SAM-GS on its two illustrations: the problems themselves, and who arrives from which start."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from bloop_proofs.problems.two_tasks import QUADRATIC, SEXTIC, TwoTasks, distance

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "sam_gs_toys.py"

on_both = pytest.mark.parametrize("problem", [QUADRATIC, SEXTIC], ids=lambda problem: problem.name)
coordinates = st.floats(-10, 10, allow_subnormal=False)


@on_both
@given(x=coordinates, y=coordinates)
def test_tasks_are_mirror_images(problem: TwoTasks, x: float, y: float) -> None:
    here, there = np.array([x, y]), np.array([-x, y])
    assert problem.losses(here)[0] == problem.losses(there)[1]
    np.testing.assert_array_equal(problem.gradients(here)[0] * [-1, 1], problem.gradients(there)[1])


@on_both
@pytest.mark.parametrize("task", [0, 1])
@pytest.mark.parametrize("point", [(1.5, 2.5), (-2.0, -3.0), (4.0, -9.5), (-8.0, 0.5)])
def test_gradients_are_those_of_the_losses(
    problem: TwoTasks, task: int, point: tuple[float, float]
) -> None:
    at = np.array(point)
    value, gradient = problem.losses(at)[task], problem.gradients(at)[task]
    for direction in np.eye(2):

        def remainder(step: float, direction: np.ndarray = direction) -> float:
            moved = problem.losses(at + step * direction)[task]
            return abs(moved - value - step * (gradient @ direction))

        # of second order, so that half a step leaves a quarter; of first order with a wrong slope
        assert remainder(2.0**-12) < remainder(2.0**-11) / 3


@on_both
def test_optima_are_where_the_sum_is_least(problem: TwoTasks) -> None:
    for optimum in problem.optima:
        found = minimize(
            lambda p: sum(problem.losses(p)),
            np.array(optimum) + 0.25,
            jac=lambda p: sum(problem.gradients(p)),
            options={"gtol": 2.0**-40},
        )
        # as many decimals as are given
        np.testing.assert_array_equal(found.x.round(5) + 0.0, optimum)


def test_distances_are_to_the_nearest_optimum() -> None:
    (left, y), (right, _) = SEXTIC.optima
    np.testing.assert_array_equal(distance(SEXTIC, [[left - 1, y], [right, y + 2]]), [1, 2])


@pytest.mark.slow
def test_who_arrives_from_the_published_starts() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        env={**os.environ, "COLUMNS": "140", "XLA_FLAGS": "--xla_cpu_max_isa=AVX"},
        capture_output=True,
        text=True,
        check=True,
    )
    _, *rows = [line[1:].split("|") for line in done.stdout.splitlines() if line[:2] == "| "]
    lines = [[cell.strip() for cell in row[:4]] for row in rows]
    found = {(problem, name): (count, steps.split()) for problem, name, count, steps in lines}
    assert {key: count for key, (count, _) in found.items()} == {
        ("quadratic bowls", "SAM-GS"): "7 of 7",
        ("quadratic bowls", "SAM-GS, not clipped"): "2 of 7",
        ("quadratic bowls", "SAM-GS, clipped, K left out"): "7 of 7",
        ("quadratic bowls", "SAM-GS, Psi as printed"): "3 of 7",
        ("quadratic bowls", "mixed"): "3 of 7",
        ("quadratic bowls", "PCGrad"): "1 of 7",
        ("sextic bowls", "SAM-GS"): "4 of 6",
        ("sextic bowls", "SAM-GS, not clipped"): "0 of 6",
    }
    # mirrored starts arrive at the same step; the two on x = 0 cannot leave it
    first = found["quadratic bowls", "SAM-GS"][1]
    assert first[0] == first[4]
    assert first[1] == first[3] == max(first, key=int)
    assert first[5] == first[6]
    second = found["sextic bowls", "SAM-GS"][1]
    assert second[0] == second[1]
    assert second[2] == second[3]
    assert second[4:] == ["-", "-"]
