"""Steps of NumPy vectors on the machine that stands in for a GPU, and what they must be."""

from typing import Any

import numpy as np

import bloop_cupy
from bloop_proofs import exact
from bloop_proofs.subject import flat
from tests.cupy.machine import array, values
from tests.tolerances import (
    average_bound,
    direction_bound,
    norm,
    reference_average_bound,
    reference_direction_factor,
    unit_roundoff,
)

LAM, RHO = 0.5, 0.25
WEIGHTS: dict[str, Any] = {"lam": LAM, "rho": RHO}
SHAPES = ((5, 40), (3,), (), (0, 2), (64,), (65,))


def draw(seed: int, dtype: Any = "float32", shapes: Any = SHAPES) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=shape)).astype(dtype) for shape in shapes]


def there(vector: Any) -> list[Any]:
    return [None if x is None else array(x) for x in vector]


def here(vector: Any) -> list[Any]:
    return [None if x is None else values(x).copy() for x in vector]


def step(*vectors: Any, inplace: bool = False, lam: Any = LAM, rho: Any = RHO) -> Any:
    """Take a step of NumPy vectors."""
    outputs = bloop_cupy.step(*map(there, vectors), lam=lam, rho=rho, inplace=inplace)
    return tuple(here(output) for output in outputs)


def in_place(*vectors: Any, **weights: Any) -> Any:
    return step(*vectors, inplace=True, **weights)


def require_exact(found: Any, g: Any, a: Any, e: Any) -> None:
    """Require a pair (direction, average) to be the exact one, each entry rounded once."""
    u, n = unit_roundoff(g, a, e), flat(g).size
    sizes = [norm(flat(v)) for v in (g, a, e)]
    direction, average = (flat(v) for v in found)
    bound = reference_direction_factor(n, wider_sums=True) * u * (sizes[0] + LAM * sizes[1])
    if u == 2.0**-53:
        bound = direction_bound(u, n, sizes[0], sizes[1], LAM)
    assert norm(direction - exact.direction(g, a, e, lam=LAM)) <= bound
    bound = reference_average_bound(unit_roundoff(e), sizes[0], sizes[2])
    if u == 2.0**-53:
        bound = average_bound(u, u, sizes[0], sizes[2], RHO)
    assert norm(average - exact.average(e, g, rho=RHO)) <= bound
