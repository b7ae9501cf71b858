"""Three problems on scikit-learn's digits, on which several claims are measured.

Each is the same for all methods: parameters in one flat float32 vector, both gradients of a
mini-batch, and both losses over all training data.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images
from sklearn.preprocessing import StandardScaler

from bloop_reproduction.demo.data import CLASSES, PIXELS, digits
from bloop_reproduction.demo.lipschitz import (
    PowerIteration,
    log_lipschitz_bound,
    log_lipschitz_gradient,
)
from bloop_reproduction.demo.network import (
    Floats,
    cross_entropy,
    cross_entropy_gradient,
    initial_parameters,
    layers,
    size,
)

BATCH = 32


class Problem(ABC):
    """Parameters in the middle of training, and the two losses of them."""

    rate: float
    parameters: Floats

    @abstractmethod
    def gradients(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Return the main and the auxiliary gradient of the next mini-batch."""

    @abstractmethod
    def losses(self) -> tuple[float, float]:
        """Return both losses over all training data."""


class Batches:
    """The rows of a data set in batches, shuffled anew in every epoch."""

    def __init__(self, rows: int) -> None:
        self.rows, self.left = rows, np.zeros(0, np.intp)

    def next(self, generator: np.random.Generator) -> NDArray[Any]:
        """Return the rows of the next batch."""
        if len(self.left) < BATCH:
            self.left = generator.permutation(self.rows)
        batch, self.left = self.left[:BATCH], self.left[BATCH:]
        return batch


class Lipschitz(Problem):
    """Digits, and the bound on the log Lipschitz constant of the demo: no noise in its gradient."""

    rate = 1e-3
    widths = (PIXELS, 128, 64, CLASSES)

    def __init__(self, generator: np.random.Generator) -> None:
        self.parameters = initial_parameters(self.widths, generator)
        self.network = layers(self.parameters, self.widths)
        self.iterations = [PowerIteration.exact(layer.weights) for layer in self.network]
        self.batches = Batches(len(digits().train_labels))

    def gradients(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Return the main and the auxiliary gradient of the next mini-batch."""
        return self.main_gradient(self.batches.next(generator)), self.aux_gradient()

    def main_gradient(self, rows: NDArray[Any] | slice = slice(None)) -> Floats:
        """Return the main gradient of some of the images, by default of all."""
        data, gradient = digits(), np.zeros_like(self.parameters)
        images, labels = data.train_images[rows], data.train_labels[rows]
        cross_entropy_gradient(self.network, images, labels, out=layers(gradient, self.widths))
        return gradient

    def aux_gradient(self) -> Floats:
        """Return the auxiliary gradient, following the singular vectors by one iteration."""
        gradient = np.zeros_like(self.parameters)
        log_lipschitz_gradient(self.network, self.iterations, out=layers(gradient, self.widths))
        return gradient

    def losses(self) -> tuple[float, float]:
        """Return both losses over all training data."""
        data = digits()
        loss = cross_entropy(self.network, data.train_images, data.train_labels)
        return loss, log_lipschitz_bound(self.network)


class Reconstruction(Problem):
    """Digits, and the reconstruction of the same images from a trunk of 16 units."""

    rate = 3e-3
    classifier = (PIXELS, 16, CLASSES)
    autoencoder = (PIXELS, 16, PIXELS)

    def __init__(self, generator: np.random.Generator) -> None:
        whole = initial_parameters(self.classifier, generator)
        more = initial_parameters(self.autoencoder, generator)
        self.parameters = np.concatenate([whole, more[size(self.autoencoder[:2]) :]])
        self.batches = Batches(len(digits().train_labels))

    def heads(self, flat: Floats) -> tuple[list[Any], list[Any]]:
        """Return the layers of the classifier and of the autoencoder, the first one shared."""
        inside = layers(flat[: size(self.classifier)], self.classifier)
        (decoder,) = layers(flat[size(self.classifier) :], self.autoencoder[1:])
        return inside, [inside[0], decoder]

    def auxiliary_images(self) -> Floats:
        """Return the images that are reconstructed."""
        return digits().train_images

    def auxiliary_batch(self, batch: NDArray[Any], generator: np.random.Generator) -> NDArray[Any]:
        """Return which of them are in a batch, given that of the digits."""
        return batch

    def gradients(self, generator: np.random.Generator) -> tuple[Floats, Floats]:
        """Return the main and the auxiliary gradient of the next mini-batch."""
        data, batch = digits(), self.batches.next(generator)
        g_main, g_aux = np.zeros_like(self.parameters), np.zeros_like(self.parameters)
        classifier, autoencoder = self.heads(self.parameters)
        images, labels = data.train_images[batch], data.train_labels[batch]
        cross_entropy_gradient(classifier, images, labels, out=self.heads(g_main)[0])
        images = self.auxiliary_images()[self.auxiliary_batch(batch, generator)]
        reconstruction_gradient(autoencoder, images, out=self.heads(g_aux)[1])
        return g_main, g_aux

    def losses(self) -> tuple[float, float]:
        """Return both losses over all training data."""
        data = digits()
        classifier, autoencoder = self.heads(self.parameters)
        loss = cross_entropy(classifier, data.train_images, data.train_labels)
        return loss, reconstruction(autoencoder, self.auxiliary_images())


class TwoSets(Reconstruction):
    """Digits, and the reconstruction of another data set: pieces of two photographs."""

    def __init__(self, generator: np.random.Generator) -> None:
        super().__init__(generator)
        self.pieces = Batches(len(photographs()))

    def auxiliary_images(self) -> Floats:
        """Return the pieces of photographs."""
        return photographs()

    def auxiliary_batch(self, batch: NDArray[Any], generator: np.random.Generator) -> NDArray[Any]:
        """Return a batch of its own."""
        return self.pieces.next(generator)


PROBLEMS: dict[str, Callable[[np.random.Generator], Problem]] = {
    "lipschitz": Lipschitz,
    "reconstruction": Reconstruction,
    "two sets": TwoSets,
}


@cache
def photographs() -> Floats:
    """Return 1437 pieces of 8 x 8 pixels of scikit-learn's two photographs, as ``digits`` are."""
    generator = np.random.default_rng(0)
    grey = [image.mean(axis=2) for image in load_sample_images().images]
    pieces = []
    for k in range(1437):
        image = grey[k % 2]
        i, j = (generator.integers(0, length - 8) for length in image.shape)
        pieces.append(image[i : i + 8, j : j + 8].ravel())
    return np.asarray(StandardScaler().fit_transform(pieces), np.float32)


def _decoded(network: list[Any], images: Floats) -> tuple[Floats, Floats]:
    trunk, decoder = network
    units = np.maximum(images @ trunk.weights + trunk.biases, 0)
    return units, units @ decoder.weights + decoder.biases


def reconstruction(network: list[Any], images: Floats) -> float:
    """Return the mean square error over images and pixels."""
    return float(np.mean(np.square(_decoded(network, images)[1] - images), dtype=np.float64))


def reconstruction_gradient(network: list[Any], images: Floats, out: list[Any]) -> None:
    """Write the gradient of ``reconstruction``."""
    (trunk, decoder), (units, decoded) = out, _decoded(network, images)
    upstream = (2 / images.size) * (decoded - images)
    np.matmul(units.T, upstream, out=decoder.weights)
    upstream.sum(axis=0, out=decoder.biases)
    upstream = (upstream @ network[1].weights.T) * (units > 0)
    np.matmul(images.T, upstream, out=trunk.weights)
    upstream.sum(axis=0, out=trunk.biases)
