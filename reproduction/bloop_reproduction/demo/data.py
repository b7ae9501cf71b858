"""The handwritten digits that come with scikit-learn: real data, nothing to download."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

PIXELS = 64
CLASSES = 10


@dataclass(frozen=True)
class Digits:
    """1437 training and 360 test images of 8 x 8 pixels, one row each, and their digits."""

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.intp]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.intp]


@cache
def digits() -> Digits:
    """Load the digits, split them, and scale each pixel.

    The split is the same on every call, so that training losses of different seeds compare. Each
    pixel has mean 0 and variance 1 over the training images (a pixel that never changes stays 0):
    the Lipschitz constant of the network is therefore per standard deviation of a pixel.

    >>> digits().train_images.shape, digits().test_images.shape
    ((1437, 64), (360, 64))
    """
    images, labels = load_digits(return_X_y=True)
    train, test, train_labels, test_labels = train_test_split(
        images, labels, test_size=360, stratify=labels, random_state=0
    )
    scaler = StandardScaler().fit(train)
    return Digits(
        train_images=scaler.transform(train).astype(np.float32),
        train_labels=train_labels.astype(np.intp),
        test_images=scaler.transform(test).astype(np.float32),
        test_labels=test_labels.astype(np.intp),
    )
