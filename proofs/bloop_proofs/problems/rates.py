"""The rates of Theorem 2, measured: how errors fall with the number of steps and their size."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bloop_proofs.problems.constants import constants
from bloop_proofs.problems.least_squares import least_squares
from bloop_proofs.problems.sgd import Run, sgd, slope
from bloop_proofs.subject import Step


class Rate(NamedTuple):
    """A slope in log-log axes, and the runs it was measured on."""

    exponent: float
    runs: list[Run]


PROBLEM = least_squares(6, 3, 2, noise=0.5, seed=2)
PULLED = least_squares(6, 3, 2, noise=0.5, pull=2.0, seed=2)


def rate_over_t(step: Step, lengths: Sequence[int]) -> Rate:
    """Return the slope of log mean ||grad L_main||^2 against log T.

    The steps are T^(-3/4) and rho = eta^(2/3), for which O(T^(-1/4)) is proved.
    """
    runs = []
    for steps in lengths:
        eta = float(steps) ** -0.75
        rho = eta ** (2 / 3)
        runs.append(
            sgd(step, PROBLEM, PROBLEM.start, lam=1.0, rho=rho, eta=eta, steps=steps, seed=steps)
        )
    means = np.array([run.squares.mean() for run in runs])
    return Rate(slope(np.array(lengths), means), runs)


def radius_over_eta(step: Step, etas: Sequence[float]) -> Rate:
    """Return the slope of log (L_main - min L_main), once settled, against log eta.

    Under the Polyak-Lojasiewicz inequality O(eta^(1/3)) is proved for rho = eta^(2/3).
    """
    curvature = constants(PULLED.quadratic).main_curvature
    radii, runs = [], []
    for eta in etas:
        # (1 - 2 eta mu)^transient <= exp(-4), and then as many steps again to average over
        transient = int(np.ceil(2 / (eta * curvature)))
        rho = eta ** (2 / 3)
        steps = 4 * transient
        runs.append(
            sgd(step, PULLED, PULLED.start, lam=1.0, rho=rho, eta=eta, steps=steps, seed=transient)
        )
        radii.append(runs[-1].excess[transient:].mean())
    return Rate(slope(np.array(etas), np.array(radii)), runs)
