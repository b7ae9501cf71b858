"""One training run: a method, a weight of the auxiliary loss, a seed."""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from bloop_reproduction.demo.data import CLASSES, PIXELS, digits
from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.demo.network import accuracy
from bloop_reproduction.problems import BATCH, Lipschitz
from bloop_reproduction.training import descent


class Smooth(Lipschitz):
    """Digits, and the bound, with the paper's hidden layers and learning rate."""

    rate = 3e-4
    widths = (PIXELS, 256, 128, CLASSES)


@dataclass(frozen=True)
class Run:
    """What to train."""

    method: str
    lam: float
    seed: int
    epochs: int


@dataclass(frozen=True)
class Result:
    """What came out of a run: the losses over all training images, the accuracy on the test set."""

    run: Run
    train_loss: float
    test_accuracy: float
    log_lipschitz_bound: float


def train(run: Run) -> Result:
    """Train one network from scratch and measure it.

    The seed fixes the initial parameters and the order of the images, alike for every method and
    every lam. One thread is used: matrices this small are slower on several.
    """
    with threadpool_limits(limits=1):
        generator = np.random.default_rng(run.seed)
        problem, method = Smooth(generator), METHODS[run.method].make(run.lam)
        steps = run.epochs * (len(digits().train_labels) // BATCH)
        for _ in descent(problem, method, generator, steps=steps, rate=problem.rate):
            pass
        return _measured(run, problem)


def _measured(run: Run, problem: Lipschitz) -> Result:
    train_loss, bound = problem.losses()
    return Result(
        run=run,
        train_loss=train_loss,
        test_accuracy=accuracy(problem.network, digits().test_images, digits().test_labels),
        log_lipschitz_bound=bound,
    )
