"""Training on two losses, step by step: the loop that the claims on small networks share."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from bloop_ref import State, surgery
from bloop_reproduction.demo.adam import Adam, cosine_rate
from bloop_reproduction.demo.network import Floats
from bloop_reproduction.problems import Problem

WARM_UP = 1 / 12
"""Share of the steps over which the learning rate rises: 5 epochs of 60."""


class Optimiser(Protocol):
    """What moves parameters in place along minus a direction."""

    def step(self, parameters: Floats, direction: Floats, rate: float) -> None:
        """Move them."""


class Sgd:
    """Plain gradient descent.

    >>> parameters = np.ones(1)
    >>> Sgd(parameters).step(parameters, np.array([2.0]), rate=0.25)
    >>> parameters
    array([0.5])
    """

    def __init__(self, like: Floats) -> None:
        """Remember nothing."""

    def step(self, parameters: Floats, direction: Floats, rate: float) -> None:
        """Move `parameters` in place along minus `direction`."""
        parameters -= rate * direction


def descent(
    problem: Problem,
    method: surgery.Method,
    generator: np.random.Generator,
    *,
    steps: int,
    rate: float,
    optimiser: Callable[[Floats], Optimiser] = Adam,
) -> Iterator[State]:
    """Train a problem's parameters, in place, and yield the method's state after each step.

    Args:
        problem: parameters and gradients.
        method: what makes a direction of two gradients.
        generator: the source of the mini-batches.
        steps: how many.
        rate: the largest learning rate, after a warm-up and before a cosine decay.
        optimiser: what makes an optimiser for parameters like these.
    """
    state = method.init(problem.parameters)
    mover = optimiser(problem.parameters)
    warm_up = round(steps * WARM_UP)
    for step in range(steps):
        direction, state = method.step(problem.gradients(generator), state)
        at = cosine_rate(step, steps, peak=rate, warm_up=warm_up)
        mover.step(problem.parameters, direction, at)
        yield state
