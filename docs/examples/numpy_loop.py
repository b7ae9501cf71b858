"""Plain NumPy: logistic regression in micro-batches, clipped, kept small where data allow it."""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer

import bloop_numpy

Array = np.ndarray[Any, Any]


def main_gradient(params: list[Array], features: Array, labels: Array) -> list[Array]:
    """Return the gradient of the mean logistic loss."""
    wrong = 1 / (1 + np.exp(-(features @ params[0] + params[1]))) - labels
    return [features.T @ wrong / len(labels), wrong.mean(keepdims=True)]


def train(steps: int = 300, file: Path | None = None, lam: float = 0.1, rho: float = 0.05) -> float:
    """Return the accuracy, going on from a file if there is one."""
    features, labels = load_breast_cancer(return_X_y=True)
    features = ((features - features.mean(axis=0)) / features.std(axis=0)).astype(np.float32)
    labels = labels.astype(np.float32)
    params = [np.zeros(features.shape[1], np.float32), np.zeros(1, np.float32)]
    ema, first = [np.zeros_like(p) for p in params], 0
    if file is not None and file.exists():
        with np.load(file) as saved:
            first, *arrays = (saved[name] for name in saved.files)
        params, ema = arrays[:2], arrays[2:]
    for number in range(first, steps):
        rows = np.random.default_rng(number).choice(len(labels), 64, replace=False)
        micro = [main_gradient(params, features[x], labels[x]) for x in (rows[:32], rows[32:])]
        g_main = [(x + y) / 2 for x, y in zip(*micro, strict=True)]
        g_aux = [p.copy() for p in params]  # of 1/2 ||params||^2
        direction, ema = bloop_numpy.step(g_main, g_aux, ema, lam=lam, rho=rho, inplace=True)
        size = float(np.sqrt(sum(np.vdot(d, d) for d in direction)))
        for p, d in zip(params, direction, strict=True):
            p -= 0.5 * d / max(1.0, size)
    if file is not None:
        np.savez(file, np.asarray(steps), *params, *ema)
    return float(np.mean((features @ params[0] + params[1] > 0) == (labels > 0)))


if __name__ == "__main__":
    print(f"accuracy: {train():.3f}")
