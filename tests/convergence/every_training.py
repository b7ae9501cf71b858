"""Runs of the comparison in docs/every.md: Bloop, Bloop with steps between, and mixed training."""

from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
from threadpoolctl import threadpool_limits

from bloop_proofs.demo.adam import Adam, cosine_rate
from bloop_ref import Bloop, surgery
from tests.convergence.every_problems import PROBLEMS

RHO = 0.01
WARM_UP = 1 / 12
LAMS = {
    "lipschitz": (0.1, 0.3, 1.0, 3.0, 10.0),
    "reconstruction": (0.3, 1.0, 3.0, 10.0, 30.0),
    "two sets": (0.3, 1.0, 3.0, 10.0, 30.0),
}
SPARSE = tuple(product((2, 4, 16), (1.0, 0.2)))
"""m and kappa."""


@dataclass(frozen=True)
class Run:
    """What to train: ``every`` 0 is mixed training, 1 Bloop."""

    problem: str
    every: int
    kappa: float
    lam: float
    seed: int
    steps: int


@dataclass(frozen=True)
class Result:
    """Both losses over all training data; of the second half of the full steps, root mean squares.

    ``residual`` is <g_aux - A, e> / (||g_aux|| ||e||), ``cosine`` that of g_aux and e.
    """

    run: Run
    main: float
    aux: float
    residual: float
    cosine: float

    @property
    def passes(self) -> float:
        """Backward passes a step."""
        return 1 + 1 / self.run.every if self.run.every else 1.0


def grid(*, seeds: int, steps: int, problems: tuple[str, ...] = tuple(LAMS)) -> list[Run]:
    """List all runs."""
    settings = ((0, 1.0), (1, 1.0), *SPARSE)
    return [
        Run(problem, every, kappa, lam, seed, steps)
        for problem in problems
        for seed, lam, (every, kappa) in product(range(seeds), LAMS[problem], settings)
    ]


def train(run: Run) -> Result:
    """Train from scratch and measure; the seed fixes parameters and batches, alike for all."""
    with threadpool_limits(limits=1), np.errstate(all="raise", under="ignore"):
        generator = np.random.default_rng(run.seed)
        problem = PROBLEMS[run.problem](generator)
        method = _method(run)
        state = method.init(problem.parameters)
        adam = Adam(problem.parameters)
        rate = partial(cosine_rate, steps=run.steps, peak=problem.rate)
        found = []
        for t in range(run.steps):
            g_main, g_aux = problem.gradients(generator)
            full = method.full(t)
            gradients = [g_main, g_aux] if full else [g_main + np.float32(run.lam) * g_aux]
            if full and run.every > 1 and 2 * t > run.steps:
                measured = method.diagnostics(gradients, state)
                found.append((measured.residual, measured.cos_aux_ema))
            direction, state = method.step(gradients, state)
            adam.step(problem.parameters, direction, rate(t, warm_up=round(run.steps * WARM_UP)))
        residual, cosine = np.sqrt(np.mean(np.square(found or [(0, 0)]), axis=0))
        return Result(run, *problem.losses(), float(residual), float(cosine))


def _method(run: Run) -> surgery.Method:
    if run.every == 0:
        return surgery.Mixed(run.lam)
    return Bloop(run.lam, RHO, every=run.every, kappa=run.kappa)
