"""What the tests of the JAX backend share: float64 on and off, gradients, closeness."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from bloop_proofs.subject import flat
from bloop_proofs.tolerances import (
    average_bound,
    direction_bound,
    norm,
    unit_roundoff,
)

jax = pytest.importorskip("jax", reason="jax is not installed")
LAM, RHO = 0.5, 0.25


@pytest.fixture(params=[False, True], ids=["x32", "x64"])
def x64(request: pytest.FixtureRequest) -> Iterator[bool]:
    """JAX with and without float64, restored afterwards."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", request.param)
    yield request.param
    jax.config.update("jax_enable_x64", before)


def draw(seed: int, shapes: Any = ((5, 4), (3,), ()), dtype: str = "float32") -> list[Any]:
    """Return a gradient as a list of JAX arrays."""
    rng = np.random.default_rng(seed)
    return [jax.numpy.asarray(rng.normal(size=shape), dtype) for shape in shapes]


def require_like(found: Any, required: Any, g_main: Any, g_aux: Any, ema: Any) -> None:
    """Require a pair (direction, average) to be another one, which may be rounded differently."""
    vectors = [[np.asarray(x) for x in jax.tree.leaves(v)] for v in (g_main, g_aux, ema)]
    u = unit_roundoff(*vectors)
    g, a, e = (norm(flat(v)) for v in vectors)
    bounds = direction_bound(u, flat(vectors[0]).size, g, a, LAM), average_bound(u, u, g, e, RHO)
    for x, y, bound in zip(found, required, bounds, strict=True):
        leaves = [[np.asarray(leaf) for leaf in jax.tree.leaves(tree)] for tree in (x, y)]
        assert norm(flat(leaves[0]) - flat(leaves[1])) <= 2 * bound


@pytest.fixture
def gradient() -> Callable[..., list[Any]]:
    """The function ``draw``."""
    return draw


@pytest.fixture
def close() -> Callable[..., None]:
    """The function ``require_like``, for lam = 0.5 and rho = 0.25."""
    return require_like
