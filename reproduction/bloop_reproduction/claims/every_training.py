"""Runs of the claim ``every``: Bloop, Bloop with steps between, and mixed training."""

from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from bloop_ref import Bloop, State, surgery, update_ema
from bloop_reproduction.claim import Measured, Setting
from bloop_reproduction.demo.adam import Adam, cosine_rate
from bloop_reproduction.problems import PROBLEMS

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
class Variant:
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


MIXED, BLOOP = Variant(0), Variant(1)
SHORTER = Variant(1, share=5 / 8)
"""Bloop with as many passes as m = 4 has."""
BETWEEN = Variant(4)
"""The steps between that the verdict is about: m = 4, and kappa as the library has it."""
VARIANTS = (
    MIXED,
    BLOOP,
    SHORTER,
    Variant(2, 0.2),
    BETWEEN,
    Variant(4, 0.2),
    Variant(4, 0.05),
    Variant(16, 0.2),
    Variant(4, 0.2, EXACT),
    Variant(4, 0.2, FULL_ONLY),
)


def grid(*, seeds: int, steps: int) -> list[Setting]:
    """List all runs."""
    return [
        {"problem": problem, **asdict(variant), "lam": lam, "seed": seed, "steps": steps}
        for seed, problem in product(range(seeds), LAMS)
        for lam, variant in product(LAMS[problem], VARIANTS)
    ]


def train(setting: Setting) -> Measured:
    """Train from scratch and measure; the seed fixes parameters and batches, alike for all.

    Returns both losses over all training data, and root mean squares over the second half of the
    full steps: ``residual`` of <g_aux - A, e> / (||g_aux|| ||e||), ``cosine`` of that of g_aux, e.
    """
    generator = np.random.default_rng(setting["seed"])
    problem = PROBLEMS[setting["problem"]](generator)
    method = _method(setting)
    state = method.init(problem.parameters)
    adam = Adam(problem.parameters)
    steps = round(setting["steps"] * setting["share"])
    rate = partial(cosine_rate, steps=steps, peak=problem.rate)
    warm_up = round(steps * WARM_UP)
    found = []
    for t in range(steps):
        pair = problem.gradients(generator)
        full = method.full(t)
        if full and setting["every"] > 1 and 2 * t > steps:
            measured: Any = method.diagnostics(pair, state)
            found.append((measured.residual, measured.cos_aux_ema))
        taken = pair if full else [pair[0] + np.float32(setting["lam"]) * pair[1]]
        direction, after = method.step(taken, state)
        state = after if full else _averaged(setting["average"], pair[0], state, after)
        adam.step(problem.parameters, direction, rate(t, warm_up=warm_up))
    residual, cosine = np.sqrt(np.mean(np.square(found or [(0, 0)]), axis=0))
    main, aux = problem.losses()
    return {"main": main, "aux": aux, "residual": float(residual), "cosine": float(cosine)}


def _method(setting: Setting) -> surgery.Method:
    lam, every, kappa = (setting[name] for name in ("lam", "every", "kappa"))
    if every == 0:
        return surgery.Mixed(lam)
    return Bloop(lam, RHO, nonfinite="propagate", every=every, kappa=kappa)


def _averaged(average: str, g_main: Any, before: State, after: State) -> State:
    """Return the state after a step between, its e as the variant wants it."""
    if average == AS_SPECIFIED:
        return after
    ema = before.ema if average == FULL_ONLY else update_ema(before.ema, g_main, rho=RHO)
    return after._replace(memory=(ema, after.memory[1]))
