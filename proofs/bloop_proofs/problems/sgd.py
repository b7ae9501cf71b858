"""Long runs with single samples, for the rates of Theorem 2."""

from typing import NamedTuple

import numpy as np

from bloop_proofs.problems.arrays import Array
from bloop_proofs.problems.least_squares import LeastSquares
from bloop_proofs.problems.trajectories import one_step
from bloop_proofs.subject import Step


class Run(NamedTuple):
    """What a run leaves behind, one entry for each of its T steps unless said otherwise.

    Attributes:
        squares: ||grad L_main||^2.
        excess: L_main - min L_main, T + 1 entries.
        allowed: the right-hand side of the descent along this very path, see ``sgd``.
    """

    squares: Array
    excess: Array
    allowed: Array


def sgd(
    step: Step,
    problem: LeastSquares,
    theta: Array,
    *,
    lam: float,
    rho: float,
    eta: float,
    steps: int,
    seed: int,
) -> Run:
    """Run theta <- theta - eta d on gradients of single samples, drawn with replacement.

    With e the EMA in use and G = grad L_main, <G, pi(a; e)> = <G - e, pi(a; e)>, so the descent
    lemma gives along every path, without an expectation,

        L_main(theta - eta d) <= L_main(theta) - eta <G, g> + eta lam ||G - e|| ||a||
                                 + eta^2 L ||d||^2 / 2;

    ``allowed`` is this right-hand side minus min L_main.
    """
    generator = np.random.default_rng(seed)
    smooth, _ = problem.smoothness(0.0)
    least = problem.main(problem.solution)
    ema = np.zeros_like(theta)
    squares, excess, allowed = [], [problem.main(theta) - least], []
    for index in generator.integers(problem.samples, size=steps):
        gradient = problem.grad_main(theta)
        g_main = problem.sample_grads_main(theta)[index]
        g_aux = problem.sample_grads_aux(theta)[index]
        d, updated = one_step(step, g_main, g_aux, ema, lam=lam, rho=rho)
        cross = lam * np.linalg.norm(gradient - ema) * np.linalg.norm(g_aux)
        fall = float(gradient @ g_main - cross - eta * smooth * float(d @ d) / 2)
        squares.append(float(gradient @ gradient))
        allowed.append(excess[-1] - eta * fall)
        theta, ema = theta - eta * d, updated
        excess.append(problem.main(theta) - least)
    return Run(np.array(squares), np.array(excess), np.array(allowed))


def slope(x: Array, y: Array) -> float:
    """Return the least-squares slope of log y against log x."""
    logs = np.log(x)
    centred = logs - logs.mean()
    return float(centred @ np.log(y) / (centred @ centred))
