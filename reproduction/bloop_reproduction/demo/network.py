r"""A multilayer perceptron with ReLU units, and the gradient of its cross-entropy, in plain NumPy.

All parameters lie in one flat vector; the weights and biases of the layers are views into it. The
flat vector is what the optimiser and the gradient-combination methods see.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.intp]


@dataclass(frozen=True)
class Layer:
    """Weights of shape (inputs, outputs) and biases of shape (outputs,)."""

    weights: Floats
    biases: Floats


def size(widths: tuple[int, ...]) -> int:
    """Count the parameters of a network.

    >>> size((64, 256, 128, 10))
    50826
    """
    return sum((inputs + 1) * outputs for inputs, outputs in pairwise(widths))


def layers(flat: Floats, widths: tuple[int, ...]) -> list[Layer]:
    """Return the layers as views into a flat vector of parameters, or of a gradient.

    >>> [layer.weights.shape for layer in layers(np.zeros(50826), (64, 256, 128, 10))]
    [(64, 256), (256, 128), (128, 10)]
    """
    found = []
    start = 0
    for inputs, outputs in pairwise(widths):
        middle = start + inputs * outputs
        weights = flat[start:middle].reshape(inputs, outputs)
        start = middle + outputs
        found.append(Layer(weights, flat[middle:start]))
    return found


def initial_parameters(widths: tuple[int, ...], generator: np.random.Generator) -> Floats:
    r"""Draw He's initialisation: weights of variance :math:`2 / \text{inputs}`, biases 0."""
    flat = np.zeros(size(widths), dtype=np.float32)
    for layer in layers(flat, widths):
        deviation = np.sqrt(2 / layer.weights.shape[0])
        layer.weights[:] = deviation * generator.standard_normal(layer.weights.shape)
    return flat


def logits(network: list[Layer], images: Floats) -> list[Floats]:
    """Return what enters each layer, and last the output of the network, shape (n, classes)."""
    values = [images]
    for layer in network[:-1]:
        values.append(np.maximum(values[-1] @ layer.weights + layer.biases, 0))
    values.append(values[-1] @ network[-1].weights + network[-1].biases)
    return values


def cross_entropy(network: list[Layer], images: Floats, labels: Labels) -> float:
    r"""Return the mean of :math:`\log \sum_j e^{z_j} - z_y` over the images, in nats."""
    scores = logits(network, images)[-1].astype(np.float64)
    highest = scores.max(axis=1)
    log_sum = highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1))
    return float(np.mean(log_sum - scores[np.arange(len(labels)), labels]))


def accuracy(network: list[Layer], images: Floats, labels: Labels) -> float:
    """Return the share of the images that get their own label."""
    return float(np.mean(logits(network, images)[-1].argmax(axis=1) == labels))


def cross_entropy_gradient(
    network: list[Layer], images: Floats, labels: Labels, out: list[Layer]
) -> None:
    r"""Write the gradient of :func:`cross_entropy` into `out`, by backpropagation.

    At the output it is :math:`(\operatorname{softmax}(z) - \mathbf{1}_y) / n`.
    """
    *inputs, scores = logits(network, images)
    upstream = np.exp(scores - scores.max(axis=1, keepdims=True))
    upstream /= upstream.sum(axis=1, keepdims=True)
    upstream[np.arange(len(labels)), labels] -= 1
    upstream /= len(labels)
    for layer, gradient, value in zip(network[::-1], out[::-1], inputs[::-1], strict=True):
        np.matmul(value.T, upstream, out=gradient.weights)
        upstream.sum(axis=0, out=gradient.biases)
        if value is not images:
            upstream = (upstream @ layer.weights.T) * (value > 0)
