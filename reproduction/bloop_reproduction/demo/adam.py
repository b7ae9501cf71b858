"""Adam in NumPy, and the learning-rate schedule of the paper's smooth-network experiment."""

import math

import numpy as np

from bloop_reproduction.demo.network import Floats


class Adam:
    r"""Adam with :math:`\beta_1 = 0.9`, :math:`\beta_2 = 0.999`, :math:`\epsilon = 10^{-8}`."""

    def __init__(self, like: Floats) -> None:
        self.mean = np.zeros_like(like)
        self.square = np.zeros_like(like)
        self.count = 0

    def step(self, parameters: Floats, direction: Floats, rate: float) -> None:
        """Move `parameters` in place along minus `direction`, of the same shape.

        The first step has the length of the learning rate in every coordinate:

        >>> parameters = np.zeros(2)
        >>> Adam(parameters).step(parameters, np.array([3.0, -0.5]), rate=0.25)
        >>> parameters.round(6)
        array([-0.25,  0.25])
        """
        self.count += 1
        self.mean += 0.1 * (direction - self.mean)
        self.square += 0.001 * (direction * direction - self.square)
        parameters -= (rate / (1 - 0.9**self.count)) * self.mean / self.scale()

    def scale(self) -> Floats:
        """Return what the last step divided each coordinate by."""
        scale: Floats = np.sqrt(self.square / (1 - 0.999**self.count))
        scale += 1e-8
        return scale


def cosine_rate(step: int, steps: int, *, peak: float, warm_up: int) -> float:
    """Return the learning rate of step number `step`, counted from 0, of `steps` in all.

    It rises linearly over the first `warm_up` steps and falls along half a cosine to 0.

    >>> [round(cosine_rate(k, 6, peak=1.0, warm_up=2), 3) for k in range(6)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    """
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up))) / 2
