"""What the benchmarks are run on: the shapes of models, and gradients of these shapes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Leaves = list[np.ndarray[Any, np.dtype[np.float32]]]


def resnet50_shapes() -> list[tuple[int, ...]]:
    """Return the shapes of the 161 parameters of a ResNet-50 with 1000 classes, 25.6M in all."""
    shapes: list[tuple[int, ...]] = [(64, 3, 7, 7), (64,), (64,)]
    wide = 64
    for blocks, narrow in ((3, 64), (4, 128), (6, 256), (3, 512)):
        for block in range(blocks):
            convolutions = [
                (narrow, wide, 1, 1),
                (narrow, narrow, 3, 3),
                (4 * narrow, narrow, 1, 1),
            ]
            if block == 0:
                convolutions.append((4 * narrow, wide, 1, 1))
            for shape in convolutions:
                shapes += [shape, (shape[0],), (shape[0],)]
            wide = 4 * narrow
    return [*shapes, (1000, wide), (1000,)]


WORKLOADS: dict[str, list[tuple[int, ...]]] = {
    "25.6M flat": [(25_557_032,)],
    "ResNet-50 tree": resnet50_shapes(),
    "1M flat": [(1_000_000,)],
}


def gradients(shapes: Sequence[tuple[int, ...]], seed: int) -> Leaves:
    """Return normal float32 leaves."""
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape, dtype=np.float32) for shape in shapes]
