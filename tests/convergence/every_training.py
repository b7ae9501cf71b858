"""Runs of the comparison in docs/every.md: Bloop, Bloop with steps between, and mixed training."""

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from bloop_ref import Bloop, State, surgery, update_ema
from bloop_reproduction.demo.adam import Adam, cosine_rate
from tests.convergence.every_problems import PROBLEMS

RHO = 0.01
WARM_UP = 1 / 12
LAMS = {
    "lipschitz": (0.1, 0.3, 1.0, 3.0),
    "reconstruction": (0.3, 1.0, 3.0, 10.0, 30.0),
    "two sets": (0.3, 1.0, 3.0, 10.0, 30.0),
}

AS_SPECIFIED, EXACT, FULL_ONLY = "x - lam A", "g_main", "full steps"
"""What enters e on the steps between: as specified; what Bloop takes, which needs a second pass;
or nothing."""


@dataclass(frozen=True)
class Setting:
    """A way to train: ``every`` 0 is mixed training, 1 Bloop; ``share`` is that of the steps."""

    every: int
    kappa: float = 1.0
    average: str = AS_SPECIFIED
    share: float = 1.0

    @property
    def passes(self) -> float:
        """Backward passes a step of the others."""
        of_step = 1 + 1 / self.every if self.every else 1.0
        return self.share * (2 if self.average == EXACT else of_step)


MIXED, BLOOP = Setting(0), Setting(1)
SHORTER = Setting(1, share=5 / 8)
"""Bloop with as many passes as m = 4 has."""
SETTINGS = (
    MIXED,
    BLOOP,
    SHORTER,
    Setting(2, 0.2),
    Setting(4, 1.0),
    Setting(4, 0.2),
    Setting(4, 0.05),
    Setting(16, 0.2),
    Setting(4, 0.2, EXACT),
    Setting(4, 0.2, FULL_ONLY),
)


@dataclass(frozen=True)
class Run:
    """What to train."""

    problem: str
    setting: Setting
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


def grid(*, seeds: int, steps: int) -> list[Run]:
    """List all runs."""
    return [
        Run(problem, setting, lam, seed, steps)
        for seed, problem in product(range(seeds), LAMS)
        for lam, setting in product(LAMS[problem], SETTINGS)
    ]


def train(run: Run) -> Result:
    """Train from scratch and measure; the seed fixes parameters and batches, alike for all."""
    with threadpool_limits(limits=1):
        generator = np.random.default_rng(run.seed)
        problem = PROBLEMS[run.problem](generator)
        method = _method(run)
        state = method.init(problem.parameters)
        adam = Adam(problem.parameters)
        steps = round(run.steps * run.setting.share)
        rate = partial(cosine_rate, steps=steps, peak=problem.rate)
        warm_up = round(steps * WARM_UP)
        found = []
        for t in range(steps):
            pair = problem.gradients(generator)
            full = method.full(t)
            if full and run.setting.every > 1 and 2 * t > steps:
                measured: Any = method.diagnostics(pair, state)
                found.append((measured.residual, measured.cos_aux_ema))
            taken = pair if full else [pair[0] + np.float32(run.lam) * pair[1]]
            direction, after = method.step(taken, state)
            state = after if full else _averaged(run.setting, pair[0], state, after)
            adam.step(problem.parameters, direction, rate(t, warm_up=warm_up))
        residual, cosine = np.sqrt(np.mean(np.square(found or [(0, 0)]), axis=0))
        return Result(run, *problem.losses(), float(residual), float(cosine))


def _method(run: Run) -> surgery.Method:
    if run.setting.every == 0:
        return surgery.Mixed(run.lam)
    return Bloop(
        run.lam,
        RHO,
        nonfinite="propagate",
        every=run.setting.every,
        kappa=run.setting.kappa,
    )


def _averaged(setting: Setting, g_main: Any, before: State, after: State) -> State:
    """Return the state after a step between, its e as the setting wants it."""
    if setting.average == AS_SPECIFIED:
        return after
    ema = before.ema if setting.average == FULL_ONLY else update_ema(before.ema, g_main, rho=RHO)
    return after._replace(memory=(ema, after.memory[1]))
