"""Gradients whose norms and cosines are rational, so that every law can hold exactly."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

RATIONALS = st.builds(Fraction, st.integers(-9, 9), st.integers(1, 9))


def on_circle(t: Fraction) -> tuple[Fraction, Fraction]:
    """Return a rational point of the unit circle."""
    return (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)


def planar(radius: Fraction, t: Fraction) -> np.ndarray:
    """Return a vector of the plane with rational norm; the angle of two has a rational cosine."""
    return np.array([radius * x for x in on_circle(t)], dtype=object)


def turned(vector: np.ndarray, t: Fraction) -> np.ndarray:
    """Return a vector of the plane, rotated."""
    c, s = on_circle(t)
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]], dtype=object)


@pytest.fixture
def plane() -> Callable[[int], st.SearchStrategy[list[np.ndarray]]]:
    """From a number to a strategy for so many vectors of the plane with rational norms."""
    vectors = st.builds(planar, RATIONALS, RATIONALS)
    return lambda count: st.lists(vectors, min_size=count, max_size=count)


@pytest.fixture
def rotated() -> Callable[[np.ndarray, Fraction], np.ndarray]:
    """The function ``turned``."""
    return turned


@pytest.fixture
def dot() -> Callable[[Any, Any], Any]:
    """The inner product of two arrays."""
    return lambda x, y: np.sum(x * y)
