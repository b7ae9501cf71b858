"""Plain NumPy: logistic regression on the breast cancer data, kept small where data allow it."""

from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer

import bloop_numpy

Array = np.ndarray[Any, Any]


def main_gradient(params: list[Array], features: Array, labels: Array) -> list[Array]:
    """Return the gradient of the mean logistic loss."""
    wrong = 1 / (1 + np.exp(-(features @ params[0] + params[1]))) - labels
    return [features.T @ wrong / len(labels), wrong.mean(keepdims=True)]


def train(steps: int = 300, lam: float = 0.1, rho: float = 0.05, rate: float = 0.5) -> float:
    """Return the accuracy."""
    features, labels = load_breast_cancer(return_X_y=True)
    features = ((features - features.mean(axis=0)) / features.std(axis=0)).astype(np.float32)
    params = [np.zeros(features.shape[1], np.float32), np.zeros(1, np.float32)]
    ema = [np.zeros_like(p) for p in params]
    rng = np.random.default_rng(0)
    for _ in range(steps):
        rows = rng.choice(len(labels), 64, replace=False)
        g_main = main_gradient(params, features[rows], labels[rows].astype(np.float32))
        g_aux = [p.copy() for p in params]  # of 1/2 ||params||^2
        direction, ema = bloop_numpy.step(g_main, g_aux, ema, lam=lam, rho=rho, inplace=True)
        for p, d in zip(params, direction, strict=True):
            p -= rate * d
    return float(np.mean((features @ params[0] + params[1] > 0) == (labels > 0)))


if __name__ == "__main__":
    print(f"accuracy: {train():.3f}")
