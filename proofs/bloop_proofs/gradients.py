"""What is done to gradients, lists of NumPy arrays, as vectors."""

import numpy as np

from bloop_proofs.cases import Gradient


def unflatten(vector: np.ndarray, like: Gradient) -> Gradient:
    """Return a long vector, as ``flat`` makes one, cut into leaves like those of a gradient."""
    wide = [leaf.dtype.kind == "c" for leaf in like]
    ends = np.cumsum([leaf.size << pairs for leaf, pairs in zip(like, wide, strict=True)])[:-1]
    parts = zip(np.split(vector, ends), like, wide, strict=True)
    return [
        (part.view(np.complex128) if pairs else part).reshape(leaf.shape).astype(leaf.dtype)
        for part, leaf, pairs in parts
    ]


def scaled(gradient: Gradient, exponent: int) -> Gradient:
    """Return a gradient times a power of two, which rounds nothing."""
    return [np.ldexp(leaf, exponent).astype(leaf.dtype) for leaf in gradient]


def times(gradient: Gradient, factor: float) -> Gradient:
    """Return a gradient times a number, in its own dtypes."""
    return [np.asarray(factor * leaf).astype(leaf.dtype) for leaf in gradient]


def zeros_like(gradient: Gradient) -> Gradient:
    """Return a gradient of zeros like another."""
    return [np.zeros_like(leaf) for leaf in gradient]


def spoiled(gradient: Gradient, place: int, bad: float) -> Gradient:
    """Return a gradient with a bad entry at a place, counted over leaves and over entries.

    Example:
        >>> spoiled([np.zeros(2), np.float64(1.0)], 1, np.inf)
        [array([0., 0.]), array(inf)]
    """
    leaves = [np.array(leaf) for leaf in gradient]  # arrays also where arithmetic made scalars
    leaf = leaves[place % len(leaves)]
    leaf[np.unravel_index(place % leaf.size, leaf.shape)] = bad
    return leaves


def same_bits(first: Gradient, second: Gradient) -> bool:
    """Whether two gradients are the same, bit for bit; NaN equals NaN, and -0 equals 0."""
    return len(first) == len(second) and all(
        x.shape == y.shape and x.dtype == y.dtype and np.array_equal(x, y, equal_nan=True)
        for x, y in zip(first, second, strict=True)
    )


def is_zero(gradient: Gradient) -> bool:
    """Whether every entry of a gradient is 0."""
    return not any(np.any(leaf) for leaf in gradient)


def nonzero(gradient: Gradient) -> Gradient:
    """Set the first entry of a gradient to 1 where all are 0, and return it."""
    if is_zero(gradient):
        first = next(leaf for leaf in gradient if leaf.size)
        first[(0,) * first.ndim] = 1
    return gradient
