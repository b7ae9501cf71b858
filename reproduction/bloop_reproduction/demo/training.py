"""One training run: a method, a weight of the auxiliary loss, a seed."""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from bloop_reproduction.demo.adam import Adam, cosine_rate
from bloop_reproduction.demo.data import CLASSES, PIXELS, Digits, digits
from bloop_reproduction.demo.lipschitz import (
    PowerIteration,
    log_lipschitz_bound,
    log_lipschitz_gradient,
)
from bloop_reproduction.demo.methods import METHODS
from bloop_reproduction.demo.network import (
    Floats,
    accuracy,
    cross_entropy,
    cross_entropy_gradient,
    initial_parameters,
    layers,
)

WIDTHS = (PIXELS, 256, 128, CLASSES)
BATCH = 32
LEARNING_RATE = 3e-4
WARM_UP = 1 / 12
"""Share of the steps over which the learning rate rises: 5 epochs of 60."""


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
        data = digits()
        return _measure(run, _parameters(run, data), data)


def _parameters(run: Run, data: Digits) -> Floats:
    generator = np.random.default_rng(run.seed)
    parameters = initial_parameters(WIDTHS, generator)
    g_main, g_aux = np.zeros_like(parameters), np.zeros_like(parameters)
    network, main_layers, aux_layers = (layers(a, WIDTHS) for a in (parameters, g_main, g_aux))
    iterations = [PowerIteration.exact(layer.weights) for layer in network]
    combine = METHODS[run.method].start(run.lam, parameters)
    adam = Adam(parameters)
    batches = len(data.train_labels) // BATCH
    steps = run.epochs * batches
    warm_up = round(steps * WARM_UP)
    for step in range(steps):
        if step % batches == 0:
            order = generator.permutation(len(data.train_labels))
        batch = order[step % batches * BATCH :][:BATCH]
        images, labels = data.train_images[batch], data.train_labels[batch]
        cross_entropy_gradient(network, images, labels, out=main_layers)
        log_lipschitz_gradient(network, iterations, out=aux_layers)
        rate = cosine_rate(step, steps, peak=LEARNING_RATE, warm_up=warm_up)
        adam.step(parameters, combine(g_main, g_aux), rate)
    return parameters


def _measure(run: Run, parameters: Floats, data: Digits) -> Result:
    network = layers(parameters, WIDTHS)
    return Result(
        run=run,
        train_loss=cross_entropy(network, data.train_images, data.train_labels),
        test_accuracy=accuracy(network, data.test_images, data.test_labels),
        log_lipschitz_bound=log_lipschitz_bound(network),
    )
