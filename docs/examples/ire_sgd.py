"""IRE around SGD in plain NumPy: softmax regression on digits."""

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from bloop_ref.ire import IRE, curvature

Array = np.ndarray[Any, Any]


def gradient(weights: Array, x: Array, labels: Array | None, rng: Any) -> Array:
    """Return that of the mean cross-entropy; without labels, of labels the model itself draws."""
    scores = np.exp(x @ weights - (x @ weights).max(axis=1, keepdims=True))
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    if labels is None:
        labels = np.array([rng.choice(10, p=row) for row in probabilities])
    return np.asarray(x.T @ (probabilities - np.eye(10)[labels]) / len(x))


def train(steps: int = 200, kappa: float = 4.0, fraction: float = 0.8, rate: float = 0.2) -> float:
    """Return the accuracy."""
    pixels, digits = load_digits(return_X_y=True)
    images, rng, weights = pixels / 16, np.random.default_rng(0), np.zeros((64, 10))
    ire = IRE(kappa, fraction, interval=10, warmup=20)
    state = ire.init(weights)
    for _ in range(steps):
        rows = rng.choice(len(images), 64, replace=False)
        x, y = images[rows], digits[rows]
        if ire.should_refresh(state.count):
            state = ire.refresh(curvature(gradient(weights, x, None, rng), batch_size=64), state)
        after = weights - rate * gradient(weights, x, y, rng)
        weights, state = ire.step(weights, after, state)
    return float(np.mean((images @ weights).argmax(axis=1) == digits))


if __name__ == "__main__":
    print(f"accuracy: {train():.3f}")
