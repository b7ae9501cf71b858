"""The problems on digits that claims share: their gradients."""

import numpy as np

from bloop_proofs.tolerances import norm
from bloop_reproduction.problems import (
    Lipschitz,
    Reconstruction,
    reconstruction,
    reconstruction_gradient,
)


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


def test_the_gradient_of_all_images_is_the_mean_of_those_of_parts() -> None:
    problem = Lipschitz(np.random.default_rng(0))
    halves = [problem.main_gradient(rows) for rows in (np.arange(718), np.arange(718, 1436))]
    both = problem.main_gradient(np.arange(1436))
    # float32 sums over 1436 images, in two orders
    room = 2 * 1436 * 2.0**-24 * norm(both)
    assert norm(both - np.mean(halves, axis=0)) <= room
    assert norm(problem.main_gradient() - both) > room
