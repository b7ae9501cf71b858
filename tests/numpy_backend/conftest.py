"""What the tests of the NumPy backend share: threads, gradients, exact answers."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from bloop_numpy import kernels
from bloop_proofs import exact
from bloop_proofs.subject import flat
from bloop_proofs.tolerances import average_bound, direction_bound, norm, unit_roundoff

LAM, RHO = 0.5, 0.25


@pytest.fixture(params=[1, 3], ids=["one thread", "three threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """One thread, and several for the smallest of vectors."""
    with use(request.param, serial=1):
        yield request.param


class use:  # noqa: N801
    """So many threads, for vectors of so many entries and more."""

    def __init__(self, threads: int, serial: int = kernels.SERIAL) -> None:
        self.threads, self.serial = threads, serial

    def __enter__(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(kernels, "SERIAL", self.serial)
        self.patch.setattr(kernels, "threads", lambda: self.threads)
        kernels._cut.cache_clear()

    def __exit__(self, *_: object) -> None:
        self.patch.undo()
        kernels._cut.cache_clear()


def draw(seed: int, dtype: Any = "float32", shapes: Any = ((5, 4), (3,), ())) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=shape)).astype(dtype) for shape in shapes]


def require_exact(found: Any, g: Any, a: Any, e: Any) -> None:
    """Require a pair (direction, average) to be the exact one for lam = 0.5 and rho = 0.25."""
    u = unit_roundoff(g, a, e)
    sizes = [norm(flat(v)) for v in (g, a, e)]
    n = flat(g).size
    direction, average = (flat(v) for v in found)
    error = norm(direction - exact.direction(g, a, e, lam=LAM))
    assert error <= direction_bound(u, n, sizes[0], sizes[1], LAM)
    coarse = unit_roundoff(g)
    bound = average_bound(unit_roundoff(e), coarse, sizes[0], sizes[2], RHO)
    assert norm(average - exact.average(e, g, rho=RHO)) <= bound


@pytest.fixture
def gradient() -> Callable[..., list[np.ndarray]]:
    """The function ``draw``."""
    return draw


@pytest.fixture
def is_exact() -> Callable[..., None]:
    """The function ``require_exact``."""
    return require_exact


@pytest.fixture
def with_threads() -> Any:
    """The context ``use``."""
    return use
